"""Which channels an interval is unusual by.

Shapes: values (C, T); windows (B, C, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..scoring.passes import sloped_pass
from .material import Floats, Material

MOST_WINDOWS = 8
"""Most windows of an interval that shares are taken from: those around its peak."""

_TURNS = 20
_HISTORY = 8


def channel_shares(material: Material, begin: int, end: int, peak: int) -> Floats:
    """(C,) shares of the channels in what is unusual about the samples begin .. end - 1; they add up to 1.

    Reconstruction-based contributions (Alcala and Qin, 2009), with the negative log-density as the index: the
    drop of -log p when the samples of this channel alone are set to what makes them most likely given the
    other channels and the surroundings. A normal channel of n samples drops too, by n/2 nats where it is
    Gaussian; that is taken off first. For an additive fault of one channel that channel drops most, however
    the others are correlated with it.

    The log-density is that of windows side by side, at most 8 around the peak. An interval that is odd for
    being too likely, such as one that is flat in all channels, has no such drop: shares then say little.
    """
    channels = len(material.values)
    if channels == 1:
        return np.ones(1)
    starts = _tiles(material, begin, end, peak)
    low, high = max(begin, starts[0]), min(end, starts[-1] + material.window)
    drops = np.array([_drop(material, starts, low, high, channel) for channel in range(channels)])
    excess = np.maximum(drops - 0.5 * (high - low), 0.0)
    if not excess.any():
        excess = np.maximum(drops, 0.0)
    total = excess.sum()
    return excess / total if total > 0.0 else np.full(channels, 1.0 / channels)


def _tiles(material: Material, begin: int, end: int, peak: int) -> list[int]:
    """Starts of windows side by side over the interval, or over what is looked at of it around the peak."""
    size = material.window
    count = min(-(-(end - begin) // size), MOST_WINDOWS, material.length // size)
    middle = (begin + end) / 2 if end - begin <= count * size else peak
    first = int(min(max(0, middle - count * size / 2), material.length - count * size))
    return [first + k * size for k in range(count)]


def _drop(material: Material, starts: Sequence[int], low: int, high: int, channel: int) -> float:
    """Nats by which -log p falls when the samples low .. high - 1 of the channel are made most likely."""
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
        return -sloped_pass(material.flow, windows, context).share.sum()

    optimizer = torch.optim.LBFGS(
        [free], max_iter=_TURNS, history_size=_HISTORY, line_search_fn="strong_wolfe", tolerance_change=1e-6
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = surprise()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.no_grad():
        before = float(surprise())
    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        after = float(surprise())
    return max(before - after, 0.0) if np.isfinite(after) else 0.0
