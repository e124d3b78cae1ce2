"""Base densities: they integrate to one, agree with scipy, and their samples follow them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from seqflow.distributions import Base, Laplace, Mixture, Normal, StudentT

BASES = [Normal(2, learn_scale=True), Laplace(2), StudentT(2, freedom=5.0), Mixture(2, components=3)]


def perturbed(base: Base) -> Base:
    base = base.double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return base


@pytest.mark.parametrize("base", BASES, ids=lambda b: type(b).__name__)
def test_density_integrates_to_one(base: Base) -> None:
    # x = sinh(u) covers the heavy tails with an even grid in u.
    u = torch.linspace(-25.0, 25.0, 400_001, dtype=torch.float64)
    density = perturbed(base).log_prob(torch.sinh(u).expand(1, 2, -1)).exp() * torch.cosh(u)
    mass = torch.trapezoid(density, u)
    torch.testing.assert_close(mass, torch.ones_like(mass), atol=1e-6, rtol=0)


@pytest.mark.parametrize("base", BASES, ids=lambda b: type(b).__name__)
def test_samples_follow_the_density(base: Base) -> None:
    base = perturbed(base)
    generator = torch.Generator().manual_seed(7)
    drawn = base.sample(4, 20_000, generator=generator).detach()[:, 0].flatten().sort().values
    u = torch.linspace(-25.0, 25.0, 400_001, dtype=torch.float64)
    density = base.log_prob(torch.sinh(u).expand(1, 2, -1)).exp()[0, 0] * torch.cosh(u)
    cdf = torch.cumulative_trapezoid(density.detach(), u)
    at = np.interp(np.arcsinh(drawn.numpy()), u[1:].numpy(), cdf.numpy())
    statistic = scipy.stats.kstest(at, "uniform").statistic
    assert statistic < 1.95 / np.sqrt(drawn.numel())  # 0.1 % level


def test_student_t_is_scipys() -> None:
    base = perturbed(StudentT(1, freedom=4.0))
    z = torch.linspace(-30, 30, 101, dtype=torch.float64).view(1, 1, -1)
    nu, scale = base.freedom.item(), base.log_scale.exp().item()
    expected = scipy.stats.t.logpdf(z.numpy(), nu, scale=scale)
    np.testing.assert_allclose(base.log_prob(z).detach().numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("base", BASES, ids=lambda b: type(b).__name__)
def test_temperature_scales_the_draws(base: Base) -> None:
    one = base.sample(2, 8, generator=torch.Generator().manual_seed(3))
    half = base.sample(2, 8, temperature=0.5, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(half, 0.5 * one)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        Normal(0)
    with pytest.raises(ValueError, match="above 2"):
        StudentT(1, freedom=2.0)
