"""Independent, identically distributed noise with one set of parameters per channel.

Shapes: z is (B, C, T).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .base import Base

_LOG_2PI = math.log(2.0 * math.pi)


def _normal(channels: int, n: int, length: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    # Drawn on the CPU: one seed gives one set of samples whatever the device of the model.
    z = torch.randn((n, channels, length), generator=generator, dtype=torch.float64)
    return z.to(device=like.device, dtype=like.dtype)


class Normal(Base):
    """Standard normal, optionally with a learned scale per channel: log p = -z²/2σ² - log σ - log(2π)/2."""

    def __init__(self, channels: int, learn_scale: bool = False) -> None:
        super().__init__(channels)
        self.log_scale = nn.Parameter(torch.zeros(channels, 1), requires_grad=learn_scale)

    def log_prob(self, z: Tensor) -> Tensor:
        """Elementwise log-density (B, C, T) in nats."""
        u = z * torch.exp(-self.log_scale)
        return -0.5 * (u.square() + _LOG_2PI) - self.log_scale

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C, length)."""
        z = _normal(self.channels, n, length, self.log_scale, generator)
        return temperature * torch.exp(self.log_scale) * z


class Laplace(Base):
    """Laplace with a learned scale per channel: log p = -|z|/b - log 2b."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        # Unit variance at the start: 2 b² = 1.
        self.log_scale = nn.Parameter(torch.full((channels, 1), -0.5 * math.log(2.0)))

    def log_prob(self, z: Tensor) -> Tensor:
        """Elementwise log-density (B, C, T) in nats."""
        return -z.abs() * torch.exp(-self.log_scale) - self.log_scale - math.log(2.0)

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C, length), by the inverse of the distribution function."""
        u = torch.rand((n, self.channels, length), generator=generator, dtype=torch.float64) - 0.5
        z = -torch.sign(u) * torch.log1p(-2.0 * u.abs().clamp(max=0.5 - 1e-12))
        z = z.to(device=self.log_scale.device, dtype=self.log_scale.dtype)
        return temperature * torch.exp(self.log_scale) * z


class StudentT(Base):
    """Student's t with learned degrees of freedom ν > 2 and scale σ per channel.

    log p = log Γ((ν+1)/2) - log Γ(ν/2) - log(νπ)/2 - log σ - (ν+1)/2 · log(1 + z²/νσ²)

    Heavy tails keep a few unlikely samples from ruling the fit. ν > 2 keeps the variance finite.
    """

    def __init__(self, channels: int, freedom: float = 8.0) -> None:
        super().__init__(channels)
        if freedom <= 2.0:
            raise ValueError(f"degrees of freedom must be above 2 for a finite variance, got {freedom}")
        self.raw_freedom = nn.Parameter(torch.full((channels, 1), math.log(math.expm1(freedom - 2.0))))
        # Unit variance at the start: σ² ν / (ν - 2) = 1.
        self.log_scale = nn.Parameter(torch.full((channels, 1), 0.5 * math.log((freedom - 2.0) / freedom)))

    @property
    def freedom(self) -> Tensor:
        """Degrees of freedom ν (C, 1)."""
        return 2.0 + torch.nn.functional.softplus(self.raw_freedom)

    def log_prob(self, z: Tensor) -> Tensor:
        """Elementwise log-density (B, C, T) in nats."""
        nu = self.freedom
        constant = torch.lgamma(0.5 * (nu + 1.0)) - torch.lgamma(0.5 * nu) - 0.5 * torch.log(nu * math.pi)
        u = z * torch.exp(-self.log_scale)
        return constant - self.log_scale - 0.5 * (nu + 1.0) * torch.log1p(u.square() / nu)

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C, length)."""
        nu = self.freedom.detach().double().cpu()
        z = draw_student((n, self.channels, length), nu, generator).to(self.log_scale)
        return temperature * torch.exp(self.log_scale) * z


def draw_student(shape: tuple[int, ...], nu: Tensor, generator: torch.Generator | None) -> Tensor:
    """Student's t with ν degrees of freedom and scale 1, on the CPU; ν (float64) broadcasts to `shape`."""
    # Bailey (1994): t = cos(2πu) sqrt(ν (v^(-2/ν) - 1)) is Student-t with ν degrees of freedom.
    u = torch.rand(shape, generator=generator, dtype=torch.float64)
    v = torch.rand(shape, generator=generator, dtype=torch.float64)
    radius = torch.sqrt(nu * torch.expm1(-2.0 / nu * torch.log(v.clamp(min=1e-300))))
    return torch.cos(2.0 * math.pi * u) * radius


class Mixture(Base):
    """Mixture of K normals around zero with learned weights and scales per channel.

    log p = logsumexp_k(log π_k + log N(z; 0, σ_k²)): a base that holds both the quiet and the loud parts.
    """

    def __init__(self, channels: int, components: int = 4, spread: float = 2.0) -> None:
        super().__init__(channels)
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, got {components}")
        self.logits = nn.Parameter(torch.zeros(channels, 1, components))
        start = torch.linspace(-0.5, 0.5, components) * spread if components > 1 else torch.zeros(1)
        self.log_scale = nn.Parameter(start.expand(channels, 1, components).clone())

    def log_prob(self, z: Tensor) -> Tensor:
        """Elementwise log-density (B, C, T) in nats."""
        u = z.unsqueeze(-1) * torch.exp(-self.log_scale)
        parts = torch.log_softmax(self.logits, -1) - self.log_scale - 0.5 * (u.square() + _LOG_2PI)
        return torch.logsumexp(parts, -1)

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C, length): a component, then a normal of its scale."""
        z = _normal(self.channels, n, length, self.log_scale, generator)
        u = torch.rand((n, self.channels, length), generator=generator, dtype=torch.float64)
        edges = torch.softmax(self.logits.detach().double().cpu(), -1).cumsum(-1)
        index = (u.unsqueeze(-1) > edges[..., :-1]).sum(-1).to(self.log_scale.device)
        scale = torch.exp(self.log_scale).expand(-1, length, -1).unsqueeze(0).expand(n, -1, -1, -1)
        return temperature * z * scale.gather(-1, index.unsqueeze(-1)).squeeze(-1)
