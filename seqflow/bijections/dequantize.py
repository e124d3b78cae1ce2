"""Uniform noise of one quantisation step on data that lie on a lattice."""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.dither import uniform_at
from .base import Bijection, Context

# As a fraction of the step: what the inverse forgives rounding. The noise keeps as far from both edges.
_TOLERANCE = 1e-6


class Dequantize(Bijection):
    """y = x + step·u, u uniform in [0, 1);  inverse: x = floor(y/step)·step;  log|det| = 0.

    A density on values of a lattice is unbounded; with the noise, log p(y) bounds the log-probability of the
    lattice values, and bits follow from the step (Theis, van den Oord and Bethge, 2016). u is a hash of
    (seed, channel, index). In evaluation mode the index is that of the sample in its recording, the context's
    `position` (B,) being that of the first: a recording scores alike however it is cut. In training mode it
    counts from the context's `dither` (B,), new for every window of every step, in whatever micro-batch or
    process the window is; without one u comes from torch's generator.

    The step is the context's `step` (B,), else `step`, else 0, in the units of x; where it is 0 the layer is
    the identity. The map is no bijection of the reals: `inverse` undoes `forward` on the lattice. That is
    exact in float64; float32 holds noise on top of a value only up to about 2^20 steps.

    Raises ValueError for a negative `step`.
    """

    reversible = False

    def __init__(self, step: float | None = None, seed: int = 0) -> None:
        super().__init__()
        if step is not None and step < 0:
            raise ValueError(f"the quantisation step must not be negative, got {step}")
        self.step = step
        self.seed = seed

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Add the noise: (B, C, T) -> (B, C, T); log|det| = 0 (B,)."""
        step = self._step(x, context)
        if step is None:
            return x, x.new_zeros(x.shape[0])
        u = self._noise(x, context) * (1.0 - 2.0 * _TOLERANCE) + _TOLERANCE
        # Rounding must not carry a large value over to the next lattice point.
        y = x + step * u
        excess = (y - torch.minimum(y, torch.nextafter(x + step, x))).detach()
        return y - excess, x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Round down to the lattice."""
        step = self._step(z, context)
        if step is None:
            return z, z.new_zeros(z.shape[0])
        positive = step > 0
        safe = torch.where(positive, step, torch.ones_like(step))
        lattice = torch.floor(z / safe + _TOLERANCE) * safe
        return torch.where(positive, lattice, z), z.new_zeros(z.shape[0])

    def _step(self, x: Tensor, context: Context | None) -> Tensor | None:
        """Step of each item (B, 1, 1); None where it is zero for all by construction."""
        given = None if context is None else context.get("step")
        if given is not None:
            return given.to(x).view(-1, 1, 1)
        return x.new_full((x.shape[0], 1, 1), self.step) if self.step else None

    def _noise(self, x: Tensor, context: Context | None) -> Tensor:
        first = None if context is None else context.get("dither" if self.training else "position")
        if first is None and self.training:
            return torch.rand_like(x)
        if first is None:
            first = torch.zeros(x.shape[0], dtype=torch.int64, device=x.device)
        return uniform_at(first.to(x.device), x.shape[1], x.shape[2], self.seed, x.dtype)
