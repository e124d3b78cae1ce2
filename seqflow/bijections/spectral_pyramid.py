"""The levels of frequency bands as variables of their own: a window's spectrum gets a density."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.dct import dct2, dct3
from ..ops.shapes import full_precision, squeeze, unsqueeze
from .base import Bijection, Context
from .level_pyramid import LevelPyramid, halvings_of

# Waves that tell the network where in the spectrum a band lies.
_WAVES = 2


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
        bands: how many; a window of fewer steps has one for each.
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
        groups: Sequence[int] | None = None,
        hidden: int = 16,
        knots: int = 9,
        strength: float = 1.0,
        condition_size: int = 0,
    ) -> None:
        if bands < 1:
            raise ValueError(f"bands must be positive, got {bands}")
        super().__init__(
            channels,
            1,
            halvings=max(1, halvings_of(bands, 1)),
            groups=groups,
            hidden=hidden,
            knots=knots,
            strength=strength,
            condition_size=condition_size,
            clock=_WAVES,
        )
        self.bands = bands

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, log_det = super().forward(self._analysis(x), _over_frequency(x, context))
        return self._synthesis(y), log_det

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The levels of the bands back, from the sparse to the dense."""
        x, log_det = super().inverse(self._analysis(z), _over_frequency(z, context))
        return self._synthesis(x), log_det

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with even shares (B, T)."""
        return Bijection.local(self, x, context)

    def _fit_levels(self, x: Tensor) -> None:
        super()._fit_levels(self._analysis(x))

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


def _over_frequency(x: Tensor, context: Context | None) -> Context:
    """The context with the whole of the spectrum in place of a place in time."""
    return {**(context or {}), "span": torch.tensor([[0.0, 1.0]], device=x.device).expand(x.shape[0], -1)}
