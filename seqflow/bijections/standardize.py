"""Zero mean and unit deviation per channel, as a layer with its own log-determinant."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Bijection, Context


class Standardize(Bijection):
    """y = (x - mean_c) / scale_c, with constants measured once by `initialize`.

    log|det| = -T·sum_c log scale_c. As a layer of the flow nobody can forget it in a likelihood, and bits per
    sample do not depend on it.

    Args:
        channels: C.
        floor: least scale, in the units of x. A channel that never moves keeps scale 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int, floor: float = 1e-12) -> None:
        super().__init__()
        if floor <= 0:
            raise ValueError(f"the least scale must be positive, got {floor}")
        self.floor = floor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        mean, scale = self._columns(x)
        return (x - mean) / scale, -x.shape[-1] * _total(scale, x)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """x = z·scale + mean."""
        mean, scale = self._columns(z)
        return z * scale + mean, z.shape[-1] * _total(scale, z)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Measure mean and deviation of each channel over the windows x (B, C, T)."""
        wide = x.double()
        std = wide.std(dim=(0, 2), correction=0)
        self.mean.copy_(wide.mean(dim=(0, 2)))
        self.scale.copy_(torch.where(std > self.floor, std, torch.ones_like(std)))
        return self.forward(x, context)[0]

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean.to(x.dtype).unsqueeze(-1), self.scale.to(x.dtype).unsqueeze(-1)


def _total(scale: Tensor, x: Tensor) -> Tensor:
    return scale.log().sum().expand(x.shape[0])
