"""The nearest normal sequence: an interval made usual, its surroundings kept.

Shapes: values (C, T); windows (B, C, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from ..generation.gap import MOST_UNKNOWN, ORDER
from ..generation.gaussian import interpolate
from ..scoring.passes import sloped_pass
from .heights import heights
from .material import Floats, Material
from .pull import Typical

STEPS = 60
"""Most steps of descent for each stretch of four windows."""

_STRETCH = 4
_RATE = 0.05
# Mean over terms of ln(1 + height above the median): of all windows together, and of each. Normal recordings
# have 0.2 to 0.4: what is pushed far below has left the typical set for the mode.
_ENOUGH, _ENOUGH_EACH = 0.2, 0.4
_BATCH = 32
# Windows from one to the next, and the cross-fade beyond an interval, as parts of a window.
_HOP, _FADE, _LEAST_FADE = 4, 32, 4


@dataclass(frozen=True)
class Nearest:
    """What an interval should have looked like.

    Attributes:
        values: (C, T), those of the material but for the interval and a cross-fade around it.
        begin, end: the samples begin .. end - 1 may differ.
        steps: of descent, over all stretches.
    """

    values: Floats
    begin: int
    end: int
    steps: int


def nearest_normal(
    material: Material,
    begin: int,
    end: int,
    *,
    blank: bool = False,
    steps: int = STEPS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Nearest:
    """Make the samples begin .. end - 1 usual.

    1. The noise of every window that meets them is pulled back to the typical set (`pull.Typical`), taken
       through the inverse, and averaged over the windows.
    2. From there on the noise of the whole descends the mean over windows and terms of ln(1 + h), h the
       height of a term above its normal median, until none is above it or the steps are used up. The better
       of both ends is the result.

    With `blank`, what the samples hold has no influence: they are one draw from the Gaussian that linear
    prediction makes of their surroundings (`generation.gaussian.interpolate`), and nothing descends.

    Deterministic. Raises UsageError for an interval that is none, too long to be drawn, or where the inverse
    is not finite.
    """
    if not 0 <= begin < end <= material.length:
        raise UsageError(f"explain: samples {begin} to {end} are no stretch of {material.length}")
    fade = _fade(material, begin, end)
    first = _drawn(material, begin, end) if blank else _pulled(material, begin, end)
    values = fade * first + (1.0 - fade) * material.values
    steps = 0 if blank else steps
    stretch = _STRETCH * material.window
    edges = [*range(begin, end, stretch), end]
    if len(edges) > 2 and edges[-1] - edges[-2] < material.window:
        del edges[-2]
    taken = 0
    for turn, (a, b) in enumerate(pairwise(edges)):

        def progress(done: int, turn: int = turn) -> None:
            if on_progress is not None:
                on_progress(turn * steps + done, (len(edges) - 1) * steps)

        values, used = _descended(material, values, fade, a, b, steps, progress)
        progress(steps)
        taken += used
    if not np.isfinite(values).all():
        raise UsageError("explain: the model's inverse is not finite there; train it longer")
    changed = np.flatnonzero(fade)
    return Nearest(values, int(changed[0]), int(changed[-1]) + 1, taken)


def unusual(material: Material, values: Floats, begin: int, end: int) -> float:
    """Mean over windows that meet the samples, and terms, of ln(1 + height above the median)."""
    starts = material.starts(begin, end, material.scorer.hop)
    x, total = material.tensor(values), 0.0
    with torch.no_grad():
        for k in range(0, len(starts), _BATCH):
            part = starts[k : k + _BATCH]
            total += float(_losses(material, x[None], part, 0).sum())
    return total / len(starts)


def _losses(material: Material, x: Tensor, starts: list[int], offset: int) -> Tensor:
    """(B,) of windows of x (1, C, n), whose first sample is `offset`; in steps, as it will be written."""
    x = material.quantised(x, offset)
    windows = torch.cat([x[..., s - offset : s - offset + material.window] for s in starts])
    batch = sloped_pass(material.flow, windows, material.context(starts, material.window))
    return torch.log1p(heights(material, batch).clamp(min=0.0)).mean(dim=-1)


def _pulled(material: Material, begin: int, end: int) -> Floats:
    """Averages over windows of what their noise gives once it is pulled back."""
    typical = Typical.of(material)
    size = material.window
    taper = np.hanning(size + 2)[1:-1]
    total, weight = np.zeros_like(material.values), np.zeros(material.length)
    starts = material.starts(begin, end, max(1, size // _HOP))
    with torch.no_grad():
        for k in range(0, len(starts), _BATCH):
            part = starts[k : k + _BATCH]
            x = material.tensor(np.stack([material.values[:, s : s + size] for s in part]))
            context = material.context(part, size)
            z, _ = material.flow.to_noise(x, context)
            y, _ = material.flow.from_noise(typical.pull(z), context)
            for start, one in zip(part, y.cpu().numpy(), strict=True):
                total[:, start : start + size] += taper * one
                weight[start : start + size] += taper
    return np.where(weight > 0.0, total / np.maximum(weight, 1e-300), material.values)


def _drawn(material: Material, begin: int, end: int) -> Floats:
    """A draw of the samples from the Gaussian that linear prediction makes of what surrounds them."""
    channels = len(material.values)
    if (end - begin) * channels > MOST_UNKNOWN:
        raise UsageError(
            f"explain: {(end - begin) * channels} samples at once cannot be drawn, the most is "
            f"{MOST_UNKNOWN}; leave --blank out, or give a shorter stretch (--from, --to)"
        )
    reach = max(material.window, end - begin)
    low, high = max(0, begin - reach), min(material.length, end + reach)
    if high - low < 2 * (end - begin):
        raise UsageError(
            f"explain: samples {begin} to {end} leave too little of {material.length} to go by; leave "
            "--blank out"
        )
    x = torch.from_numpy(material.values[:, low:high].copy())[None]
    unknown = torch.zeros(x.shape[1:], dtype=torch.bool)
    unknown[:, begin - low : end - low] = True
    x[:, unknown] = 0.0
    guess = interpolate(x, unknown, ORDER)
    noise = torch.randn(guess.mean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = material.values.copy()
    found[:, begin:end] = guess.place(noise).reshape(channels, -1).numpy()
    return found


def _descended(
    material: Material,
    values: Floats,
    fade: Floats,
    begin: int,
    end: int,
    steps: int,
    on_step: Callable[[int], None],
) -> tuple[Floats, int]:
    """Descend in the noise of the stretch and a window on either side; gives values and steps taken."""
    size, divisor = material.window, material.flow.divisor
    low = max(0, begin - size)
    high = min(material.length, end + size)
    low, high = low, low + (high - low) // divisor * divisor
    near = _fade(material, begin, end) * (fade > 0.0)
    mix = material.tensor(near[low:high])
    kept = material.tensor(values[:, low:high])[None]
    context = material.context([low], high - low)
    with torch.no_grad():
        z, _ = material.flow.to_noise(kept, context)
    z = z.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([z], lr=_RATE)
    hop = material.scorer.hop
    every = [s for s in material.starts(begin, end, hop) if low <= s <= high - size]
    if not every:
        return values, 0
    # Windows half a window apart, others at every step, and every window in its turn.
    stride = max(1, round(size / 2 / hop))
    recent: list[tuple[float, float]] = []
    taken = 0
    for turn in range(steps):
        starts = every[turn % min(stride, len(every)) :: stride]
        with torch.enable_grad():
            x, _ = material.flow.from_noise(z, context)
            losses = _losses(material, mix * x + (1.0 - mix) * kept, starts, low)
            loss = losses.mean()
        recent = [*recent, (loss.item(), losses.max().item())][-stride:]
        means, highest = np.array(recent).T
        usual = len(recent) == stride and means.mean() < _ENOUGH and highest.max() < _ENOUGH_EACH
        if usual or not np.isfinite(means[-1]):
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        taken += 1
        on_step(taken)
    with torch.no_grad():
        x, _ = material.flow.from_noise(z, context)
        x = mix * x + (1.0 - mix) * kept
    found = values.copy()
    found[:, low:high] = x[0].cpu().numpy()
    better = np.isfinite(found).all() and unusual(material, found, begin, end) <= unusual(
        material, values, begin, end
    )
    return (found, taken) if better else (values, taken)


def _fade(material: Material, begin: int, end: int) -> Floats:
    """(T,) 1 on the samples begin .. end - 1, down to 0 within a 32nd of a window on either side."""
    size = max(_LEAST_FADE, material.window // _FADE)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(size) + 0.5) / size)
    found = np.zeros(material.length + 2 * size)
    found[begin + size : end + size] = 1.0
    found[begin : begin + size] = ramp
    found[end + size : end + 2 * size] = ramp[::-1]
    return found[size:-size]
