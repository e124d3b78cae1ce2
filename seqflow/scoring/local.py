"""Where in time a window is unlikely: per-step terms, smoothed at several scales.

Shapes: tracks (B, K, T); S = K·scales.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .passes import FlowPass, spread_over
from .term import Array, Statistics, Term

# A track whose peaks stand less than this above its level is constant up to rounding, and says nothing.
_LEAST_UNIT = 1e-6


def box_mean(tracks: Tensor, scale: int) -> Tensor:
    """Mean over `scale` steps around each step of (..., T); (..., T).

    The box is centred, and pushed inwards near the ends, so that every value averages the same number of
    steps (fewer would make the ends noisier, and the maximum would find them). Windows shorter than the box
    are averaged as a whole.
    """
    return box_means(tracks, [scale])[0]


def box_means(tracks: Tensor, scales: Sequence[int]) -> list[Tensor]:
    """`box_mean` at each of the scales."""
    steps = tracks.shape[-1]
    sums: Tensor | None = None
    found = []
    for scale in (min(scale, steps) for scale in scales):
        if scale == 1:
            found.append(tracks)
            continue
        if sums is None:
            sums = torch.nn.functional.pad(tracks.double().cumsum(-1), (1, 0))
        inner = (sums[..., scale:] - sums[..., :-scale]) / scale
        before = scale // 2
        first, last = inner[..., :1], inner[..., -1:]
        edges = (*tracks.shape[:-1], before), (*tracks.shape[:-1], scale - 1 - before)
        found.append(torch.cat([first.expand(edges[0]), inner, last.expand(edges[1])], dim=-1))
    return found


def tracks(batch: FlowPass) -> Tensor:
    """(B, 3, T) per sample: z²/2, minus the log-determinant's share, and the negative log-density."""
    length = batch.x.shape[-1]
    energy = spread_over(0.5 * batch.z.square().sum(dim=1), length) / batch.channels
    return torch.stack([energy, -batch.volume / batch.channels, batch.nll], dim=1)


class Local(Term):
    """(smoothed track - level) / unit: for a window, the maximum over tracks, scales and time.

    `level` is the median over normal windows of the track's mean, and `unit` the height above it that the
    highest point of a normal window reaches in nine cases of ten. So 0 is a usual step and 1 a high peak of a
    normal window, at every scale alike.

    The place of an event is another matter: the scale that sees it best also blurs it most. So the value of a
    step is the mean over scales (of the maximum over tracks), and each scale has its say on where. Values h
    above 1 enter it as 1 + ln h: under a flow, z²/2 of a strong event varies by orders of magnitude from step
    to step, and one step would outshine all others that are unlikely too.
    """

    name = "local"
    pool = "max"
    learns = ("level", "inverse_unit")

    def __init__(self, smoothing: Sequence[int]) -> None:
        if not smoothing or min(smoothing) < 1:
            raise ValueError(f"smoothing needs lengths of at least one sample, got {list(smoothing)}")
        self.smoothing = tuple(smoothing)

    def smoothed(self, batch: FlowPass) -> Tensor:
        """(B, S, T): every track at every scale."""
        return batch.once(
            f"smoothed {self.smoothing}", lambda: torch.cat(box_means(tracks(batch), self.smoothing), dim=1)
        )

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 2S): the highest point and the mean of each smoothed track."""
        values = self.smoothed(batch)
        return torch.cat([values.amax(-1), values.mean(-1)], dim=-1)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Level (S,) and 1/unit (S,), which is 0 for a track that never moves."""
        peak, mean = np.split(np.concatenate(units), 2, axis=-1)
        level = np.median(mean, axis=0)
        unit = np.quantile(peak, 0.9, axis=0) - level
        moves = unit > _LEAST_UNIT * (1.0 + np.abs(level))
        return {"level": level, "inverse_unit": np.where(moves, 1.0 / np.where(moves, unit, 1.0), 0.0)}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Largest standardised peak (B,)."""
        peak, _ = np.split(features, 2, axis=-1)
        return np.asarray(((peak - statistics["level"]) * statistics["inverse_unit"]).max(axis=-1))

    def steps(self, batch: FlowPass, statistics: Statistics) -> Tensor:
        """Mean over scales of the largest standardised track, softened above 1, at each step (B, T)."""
        values = self.smoothed(batch)
        level = torch.as_tensor(statistics["level"], device=values.device).unsqueeze(-1)
        inverse = torch.as_tensor(statistics["inverse_unit"], device=values.device).unsqueeze(-1)
        standard = (values - level).mul_(inverse)
        by_scale = torch.stack([part.amax(dim=1) for part in standard.chunk(len(self.smoothing), dim=1)])
        return torch.where(by_scale > 1.0, 1.0 + by_scale.clamp(min=1.0).log(), by_scale).mean(dim=0)
