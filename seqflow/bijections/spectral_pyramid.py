"""The levels of frequency bands as variables of their own: a window's spectrum gets a density."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.dct import dct2, dct3
from ..ops.shapes import full_precision, squeeze, unsqueeze
from .base import Context
from .frames import Map, by_frames, frames_of
from .level_pyramid import LevelPyramid, halvings_of

WAVES = 2
"""Waves that tell a network where in the spectrum it is."""


class SpectralPyramid(LevelPyramid):
    """`LevelPyramid` of the coefficients that a window has in the DCT-II: blocks of them are bands.

    y = C⁻¹ P(C x), P the pyramid over bands, from the sparse to the dense, and C orthonormal: the channels of
    every group, which a squeeze made of one, become that one again, at its own rate, and its DCT-II is taken.
    log|det| is that of P; it belongs to the window as a whole.

    A coupling can make one half of the channels white by the spectrum of the other. What is left is the
    spectrum of the half that nobody was told of: white on average, but in every single window as uneven as
    voices and machines are, in lines that last longer than networks look. Meant before a `LevelPyramid`,
    where the resolution is lowest.

    (B, C, T) -> (B, C, T), any T. Bands share out the frequencies up to half the rate of the group, however
    many steps a window has, so that one is as wide in Hz in longer windows.

    Args:
        channels: C.
        bands: how many; a frame of fewer steps has one for each.
        frame: steps of a frame, which has bands of its own; None for one frame that spans the window.
        groups: numbers of neighbouring channels that were one channel before a squeeze, which add up to C;
            None for channels that stand for themselves.
        hidden, knots, strength, condition_size: as for `LevelPyramid`.

    Raises ValueError where a size is not positive, or the groups do not add up.
    """

    def __init__(
        self,
        channels: int,
        bands: int,
        *,
        frame: int | None = None,
        groups: Sequence[int] | None = None,
        hidden: int = 16,
        knots: int = 9,
        strength: float = 1.0,
        condition_size: int = 0,
    ) -> None:
        if bands < 1:
            raise ValueError(f"bands must be positive, got {bands}")
        if frame is not None and frame < 1:
            raise ValueError(f"a frame must have at least one step, got {frame}")
        super().__init__(
            channels,
            1,
            halvings=max(1, halvings_of(bands, 1)),
            groups=groups,
            hidden=hidden,
            knots=knots,
            strength=strength,
            condition_size=condition_size,
            clock=WAVES,
        )
        self.bands = bands
        self.frame = frame

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, shares = self.local(x, context)
        return y, shares.sum(-1)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The levels of the bands back, from the sparse to the dense."""
        x, shares = self._by_frames(z, context, super().inverse)
        return x, shares.sum(-1)

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the share of each step (B, T): its frame's, evenly."""
        return self._by_frames(x, context, super().forward)

    def _fit_levels(self, x: Tensor) -> None:
        length, count = frames_of(x.shape[-1], self.frame)[0]
        frames = torch.unflatten(x[..., : length * count], -1, (count, length)).movedim(2, 1)
        super()._fit_levels(self._analysis(frames.flatten(0, 1)))

    def _by_frames(self, x: Tensor, context: Context | None, run: Map) -> tuple[Tensor, Tensor]:
        def frames(x: Tensor, told: Context) -> tuple[Tensor, Tensor]:
            y, log_det = run(self._analysis(x), told)
            return self._synthesis(y), log_det

        return by_frames(x, self.frame, context, frames)

    def _size(self, length: int) -> int:
        return -(-length // self.bands)

    def _analysis(self, x: Tensor) -> Tensor:
        """Coefficients (B, C, T): those of a group of n channels in its rows, n to a step, in their order."""
        with full_precision(x.device.type):
            parts = zip(torch.split(x, self.groups, 1), self.groups, strict=True)
            return torch.cat([squeeze(dct2(unsqueeze(part, n)), n) for part, n in parts], 1)

    def _synthesis(self, coefficients: Tensor) -> Tensor:
        with full_precision(coefficients.device.type):
            parts = zip(torch.split(coefficients, self.groups, 1), self.groups, strict=True)
            return torch.cat([squeeze(dct3(unsqueeze(part, n)), n) for part, n in parts], 1)
