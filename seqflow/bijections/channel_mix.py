"""A learned invertible matrix across channels, the same at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..ops.shapes import full_precision
from .base import Bijection, Context


class ChannelMix(Bijection):
    """y_t = P L (U + diag(exp d)) x_t;  log|det| = T·sum_c d_c.

    P is a fixed permutation, L unit lower and U strictly upper triangular. At the start the layer is P alone:
    the channels in reverse order, so that couplings on both sides see other halves. The sign of the
    determinant is that of P. Error of the inverse grows with the condition number of the matrix.
    Source: Kingma and Dhariwal, Glow, 2018 (the LU form).

    Args:
        channels: C.
        reverse: False starts from the identity instead.
    """

    order: Tensor

    def __init__(self, channels: int, reverse: bool = True) -> None:
        super().__init__()
        order = torch.arange(channels)
        self.register_buffer("order", order.flip(0) if reverse else order)
        self.lower = nn.Parameter(torch.zeros(channels, channels))
        self.upper = nn.Parameter(torch.zeros(channels, channels))
        self.log_diagonal = nn.Parameter(torch.zeros(channels))

    def matrix(self, dtype: torch.dtype | None = None) -> Tensor:
        """The matrix (C, C) the channels are multiplied by."""
        with full_precision(self.lower.device.type):
            lower, upper = self._factors(dtype or self.lower.dtype)
            return (lower @ upper)[self.order]

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        with full_precision(x.device.type):
            return torch.matmul(self.matrix(x.dtype), x), x.shape[-1] * self._total(x)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Solve the two triangular systems."""
        with full_precision(z.device.type):
            lower, upper = self._factors(z.dtype)
            # The inverse matrix once, rather than a solve for each item and step.
            eye = torch.eye(len(self.order), dtype=z.dtype, device=z.device)
            back = eye[torch.argsort(self.order)]
            back = torch.linalg.solve_triangular(lower, back, upper=False, unitriangular=True)
            back = torch.linalg.solve_triangular(upper, back, upper=True)
            return torch.matmul(back, z), -z.shape[-1] * self._total(z)

    def _factors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        eye = torch.eye(len(self.order), dtype=dtype, device=self.lower.device)
        lower = torch.tril(self.lower.to(dtype), -1) + eye
        upper = torch.triu(self.upper.to(dtype), 1) + torch.diag(self.log_diagonal.to(dtype).exp())
        return lower, upper

    def _total(self, x: Tensor) -> Tensor:
        return self.log_diagonal.to(x.dtype).sum().expand(x.shape[0])
