"""A bijection the other way round."""

from __future__ import annotations

from torch import Tensor

from .base import Bijection, Context
from .resolution import at_resolution, input_shape


class Inverse(Bijection):
    """y = f⁻¹(x) for the bijection f."""

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection
        self.reversible = bijection.reversible

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map data to noise by the inverse of f; log|det| (B,) in nats."""
        return self.bijection.inverse(x, context)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map noise to data by f itself."""
        y, log_det = self.bijection(z, context)
        return y, log_det

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with minus the shares of f at the result, (B, T_out)."""
        y, _ = self.bijection.inverse(x, context)
        _, share = self.bijection.local(y, context)
        return y, at_resolution(-share, y.shape[-1])

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """Shape that f maps to (channels, length); ValueError where there is none."""
        return input_shape(self.bijection, channels, length)
