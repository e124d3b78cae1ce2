"""Which channels an interval is unusual by.

Shapes: values (C, T); windows (B, C, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..scoring.passes import sloped_pass
from .material import Floats, Material

MOST_WINDOWS = 8
"""Most windows of an interval that shares are taken from: those around its peak."""

_LEAST = 1e-6
"""Of a drop, in what is usual: nothing is more predictable than this."""
_TURNS = 20
_HISTORY = 8


def channel_shares(material: Material, begin: int, end: int, peak: int) -> Floats:
    """(C,) shares of the channels in what is unusual about the samples begin .. end - 1; they add up to 1.

    How surprising a channel is given the others and the surroundings is a reconstruction-based contribution
    (Alcala and Qin, 2009), with the negative log-density as the index: the drop of -log p when the samples of
    this channel alone are set to what makes them most likely. For an additive fault of one channel that
    channel drops most, however the others are correlated with it. A normal channel drops too: by n/2 nats on
    n samples where it is Gaussian. A drop far below that is as unusual as one far above: a sensor that holds
    its last value has become more predictable than it ever was. So a channel counts in each window by

        n/2 (u - 1 - ln u),  u = drop/(n/2),

    minus the logarithm of the odds of a mean square u of n standard normal numbers (Cramér), which is 0 at
    u = 1 and for large u the drop itself; less the 1/2 that a normal channel has on average.

    The windows lie side by side, at most 8 around the peak.
    """
    channels = len(material.values)
    if channels == 1:
        return np.ones(1)
    starts = _tiles(material, begin, end, peak)
    low, high = max(begin, starts[0]), min(end, starts[-1] + material.window)
    counts = np.array([min(high, start + material.window) - max(low, start) for start in starts])
    odds = np.array([_odds(_drops(material, starts, low, high, c), counts) for c in range(channels)])
    excess = np.maximum(odds - 0.5 * len(starts), 0.0)
    if not excess.any():
        excess = odds
    total = excess.sum()
    return excess / total if total > 0.0 else np.full(channels, 1.0 / channels)


def _odds(drops: Floats, counts: NDArray[np.int64]) -> float:
    """How unusual the drops (B,) of windows with so many samples each are, nats."""
    half = 0.5 * counts
    # Where the search has left all bounds, nothing is known: as much as usual.
    u = np.where(np.isfinite(drops), np.maximum(drops / half, _LEAST), 1.0)
    return float((half * (u - 1.0 - np.log(u))).sum())


def _tiles(material: Material, begin: int, end: int, peak: int) -> list[int]:
    """Starts of windows side by side over the interval, or over what is looked at of it around the peak."""
    size = material.window
    count = min(-(-(end - begin) // size), MOST_WINDOWS, material.length // size)
    middle = (begin + end) / 2 if end - begin <= count * size else peak
    first = int(min(max(0, middle - count * size / 2), material.length - count * size))
    return [first + k * size for k in range(count)]


def _drops(material: Material, starts: Sequence[int], low: int, high: int, channel: int) -> Floats:
    """(B,) nats by which -log p of each window falls when the samples low .. high - 1 of the channel are made
    most likely."""
    size = material.window
    first, last = starts[0], starts[-1] + size
    x = material.tensor(material.values[:, first:last])
    context = material.context(starts, size)
    scale = float(np.std(material.values[channel])) or 1.0
    free = torch.zeros(high - low, dtype=x.dtype, device=x.device, requires_grad=True)

    def surprise() -> torch.Tensor:
        moved = torch.nn.functional.pad(scale * free, (low - first, last - high))
        row = torch.zeros_like(x)
        row[channel] = 1.0
        windows = (x + row * moved).unfold(-1, size, size).transpose(0, 1)
        return -sloped_pass(material.flow, windows, context).share.sum(dim=-1)

    optimizer = torch.optim.LBFGS(
        [free], max_iter=_TURNS, history_size=_HISTORY, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = surprise().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.no_grad():
        before = surprise()
    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        after = surprise()
    return np.asarray((before - after).cpu().numpy(), dtype=np.float64)
