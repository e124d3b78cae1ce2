"""The flow: a bijection and a base density make an exact likelihood model of sequences.

Shapes: x is (B, C, T) in the units of the recording. Log-densities are in nats, per unit of x.
"""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .bijections.base import Bijection, Context
from .classes import Classes
from .distributions import Base


class RoundTrip(NamedTuple):
    """Error of data -> noise -> data. Absolute maximum in the units of x, and relative to the data's std."""

    absolute: float
    relative: float


class Flow(nn.Module):
    """Likelihood model log p(x) = log p_base(f(x)) + log|det df/dx|.

    Args:
        bijection: f, from data to noise.
        base: density of the noise; its channels are those of f's output.
        channels: C, channels of a sequence.
        rate: samples per second (Hz) the model works at; None for data without a clock.
        step: quantisation step of the data in its units, where one is common to all; None where it is not.
        classes: the conditions it knows, whose values make the context's `condition`; none by default.
    """

    def __init__(
        self,
        bijection: Bijection,
        base: Base,
        channels: int,
        *,
        rate: float | None = None,
        step: float | None = None,
        classes: Classes | None = None,
    ) -> None:
        super().__init__()
        self.bijection = bijection
        self.base = base
        self.channels = channels
        self.rate = rate
        self.step = step
        self.classes = classes or Classes()
        self._divisor: int | None = None

    @property
    def divisor(self) -> int:
        """Every length T must be a multiple of this: the product of the squeeze factors, and the window of a
        base density that speaks of windows as a whole."""
        if self._divisor is None:
            # Highly divisible, so every squeeze passes; the ratio of lengths is the divisor.
            probe = 1 << 20
            for length in (probe, probe * 3 * 5 * 7, probe * 3**4 * 5**2 * 7 * 11 * 13):
                try:
                    _, latent = self.bijection.output_shape(self.channels, length)
                except ValueError:
                    continue
                self._divisor = length // latent * self.base.block
                break
            else:
                raise ValueError("the flow's squeeze factors have a prime factor above 13")
        return self._divisor

    def latent_shape(self, length: int) -> tuple[int, int]:
        """Shape (C', T') of the noise of a sequence of `length` samples.

        Raises ValueError unless `length` is a positive multiple of `divisor`.
        """
        if length < 1 or length % self.divisor:
            raise ValueError(f"length {length} is not a positive multiple of {self.divisor}")
        return self.bijection.output_shape(self.channels, length)

    def to_noise(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map data (B, C, T) to noise (B, C', T') with the log-determinant (B,) in nats."""
        self._check(x)
        with torch.autocast(x.device.type, enabled=False):
            z, log_det = self.bijection(x, context)
        return z, log_det

    def from_noise(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map noise (B, C', T') to data (B, C, T) with the log-determinant (B,) of that map in nats."""
        with torch.autocast(z.device.type, enabled=False):
            x, log_det = self.bijection.inverse(z, context)
        return x, log_det

    def log_prob(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Log-density (B,) in nats of the sequences x (B, C, T): per unit of x to the power C·T."""
        z, log_det = self.to_noise(x, context)
        return self.base.log_prob(z).sum(dim=(1, 2)) + log_det

    def forward(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Same as `log_prob`: lets wrappers that know only modules (export, data parallel) call it."""
        return self.log_prob(x, context)

    def per_step(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Log-density shared out over time: (B, T) nats, which sum to `log_prob`.

        A step's share is the base's log-density at its noise plus the log-determinant of the point-wise maps
        there; determinants that belong to the window as a whole are spread evenly. Behind a squeeze the steps
        of a block share alike.
        """
        return self.shares(x, context)[0]

    def shares(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`per_step` (B, T) and the noise (B, C', T') it came from, in one pass."""
        self._check(x)
        with torch.autocast(x.device.type, enabled=False):
            z, share = self.bijection.local(x, context)
        share = share + self.base.log_prob(z).sum(dim=1)
        factor = x.shape[-1] // share.shape[-1]
        return (share / factor).repeat_interleave(factor, dim=-1), z

    def bits_per_dim(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Bits per sample (B,): (-log p(x)/(C·T) - ln Δ)/ln 2, Δ the quantisation step in the units of x.

        Δ is the context's `step` (B,), or the flow's own. Raises ValueError where there is none: without a
        step only nats per sample have a meaning.
        """
        step = None if context is None else context.get("step")
        if step is None:
            if not self.step:
                raise ValueError("bits need a quantisation step: give context['step'] or report nats")
            step = torch.full((x.shape[0],), self.step, dtype=x.dtype, device=x.device)
        if not bool((step > 0).all()):
            raise ValueError("bits need a positive quantisation step for every item of the batch")
        nats = -self.log_prob(x, context) / (x.shape[1] * x.shape[2])
        return (nats - torch.log(step.to(nats.dtype))) / math.log(2.0)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        length: int,
        *,
        temperature: float = 1.0,
        context: Context | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw n sequences (n, C, length) in the units of the data.

        The inverse runs in float64 (float32 loses the round trip where the data's dynamic range is wide); the
        result has the dtype of the parameters. Noise is drawn on the CPU: a seed gives the same samples on
        every device, up to rounding. Raises ValueError unless `length` is a multiple of `divisor`.
        """
        if n < 1:
            raise ValueError(f"need at least one sequence, got n={n}")
        if temperature < 0:
            raise ValueError(f"temperature must not be negative, got {temperature}")
        _, steps = self.latent_shape(length)
        z = self.base.sample(n, steps, temperature=temperature, generator=generator)
        dtype = z.dtype
        told = {**(_double(context) or {}), "temperature": z.new_full((n,), temperature).double()}
        x, _ = self.in_float64().from_noise(z.double(), told)
        return x.to(dtype)

    def in_float64(self) -> Flow:
        """A copy of this flow in float64 and evaluation mode, for inverses that must not lose digits."""
        twin = copy.deepcopy(self).double().eval()
        return twin.requires_grad_(False)

    @torch.no_grad()
    def round_trip(self, x: Tensor, context: Context | None = None) -> RoundTrip:
        """Error of data -> noise -> data for x (B, C, T), both ways in the dtype of x.

        Quantised data is compared before the inverse rounds it to its lattice, so that the figure shows the
        map's own error: the step in the context is set to zero.
        """
        bare = {key: value for key, value in (context or {}).items() if key != "step"}
        bare["step"] = torch.zeros(x.shape[0], dtype=x.dtype, device=x.device)
        z, _ = self.to_noise(x, bare)
        back, _ = self.from_noise(z, bare)
        error = (back - x).abs().max().item()
        return RoundTrip(error, error / max(x.std().item(), 1e-300))

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> None:
        """Set the data-dependent parameters (whitening, scales, shapes) from training windows x (B, C, T)."""
        self._check(x)
        self.base.initialize(self.bijection.initialize(x, context))

    def _check(self, x: Tensor) -> None:
        if x.dim() != 3 or x.shape[1] != self.channels:
            raise ValueError(f"expected (batch, {self.channels}, time), got {tuple(x.shape)}")
        if x.shape[-1] < 1 or x.shape[-1] % self.divisor:
            raise ValueError(f"length {x.shape[-1]} is not a positive multiple of {self.divisor}")


def _double(context: Context | None) -> Context | None:
    if context is None:
        return None
    return {k: v.double() if v.is_floating_point() else v for k, v in context.items()}
