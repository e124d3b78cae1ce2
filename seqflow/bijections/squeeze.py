"""Neighbouring samples become channels."""

from __future__ import annotations

from torch import Tensor

from ..ops.shapes import squeeze, unsqueeze
from .base import Bijection, Context


class Squeeze(Bijection):
    """(B, C, T) -> (B, C·factor, T/factor), phase-major: channel p·C + c holds x[:, c, p::factor].

    A reordering: log|det| = 0. A coupling behind it splits the samples by phase. Raises ValueError where T is
    not a multiple of `factor`.
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"the squeeze factor must be at least 1, got {factor}")
        self.factor = factor

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Move time into channels; log|det| = 0 (B,)."""
        return squeeze(x, self.factor), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Move channels back into time."""
        return unsqueeze(z, self.factor), z.new_zeros(z.shape[0])

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """(C·factor, T/factor); ValueError where T is not a multiple of factor."""
        if length % self.factor:
            raise ValueError(f"length {length} is not a multiple of the squeeze factor {self.factor}")
        return channels * self.factor, length // self.factor
