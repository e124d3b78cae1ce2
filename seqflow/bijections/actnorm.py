"""A learned scale and shift per channel, started from the data."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Bijection, Context


class ActNorm(Bijection):
    """y = x·exp(log_scale_c) + shift_c;  log|det| = T·sum_c log_scale_c.

    The identity until `initialize` gives the windows it sees zero mean and unit deviation per channel.
    Source: Kingma and Dhariwal, Glow, 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        log_scale, shift = self._columns(x)
        return x * log_scale.exp() + shift, x.shape[-1] * log_scale.sum().expand(x.shape[0])

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """x = (z - shift)·exp(-log_scale)."""
        log_scale, shift = self._columns(z)
        return (z - shift) * (-log_scale).exp(), -z.shape[-1] * log_scale.sum().expand(z.shape[0])

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Set scale and shift from the windows x (B, C, T). A channel that never moves keeps scale 1."""
        wide = x.double()
        mean, std = wide.mean(dim=(0, 2)), wide.std(dim=(0, 2), correction=0)
        std = torch.where(std > 1e-12, std, torch.ones_like(std))
        self.log_scale.copy_(-std.log())
        self.shift.copy_(-mean / std)
        return self.forward(x, context)[0]

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.log_scale.to(x.dtype).unsqueeze(-1), self.shift.to(x.dtype).unsqueeze(-1)
