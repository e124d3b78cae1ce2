"""Noise from the central mass of its distribution, beside scipy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from test_sampling import scaled

from seqflow.distributions import Base, Laplace, Mixture, Normal, StudentT
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.marginals import marginal
from seqflow.sampling import draw
from seqflow.truncation import Truncation

BASES = [Normal(2), Laplace(2), StudentT(2, 3.0), Mixture(2)]


def moved(base: Base) -> Base:
    """The base with channels of different scales."""
    base.log_scale.data[0] += 0.7  # type: ignore[union-attr,operator]
    return base


@pytest.mark.parametrize("base", [moved(base) for base in BASES], ids=lambda base: type(base).__name__)
def test_distribution_functions_are_those_of_the_draws(base: Base) -> None:
    known = marginal(base)
    z = base.sample(1, 4000, generator=torch.Generator().manual_seed(0))[0].detach().double().numpy()
    for lane in known.cdf(z):
        assert scipy.stats.kstest(lane, "uniform").pvalue > 1e-3
    levels = np.broadcast_to(np.array([1e-12, 0.01, 0.3, 0.5, 0.9]), (2, 5))
    assert np.allclose(known.cdf(known.ppf(levels)), levels, rtol=1e-9)
    # The density is the slope of the distribution function.
    at = np.array([[-1.3, 0.2, 0.9]] * 2)
    slope = (known.cdf(at + 1e-5) - known.cdf(at - 1e-5)) / 2e-5
    with torch.no_grad():
        density = base.double().log_prob(torch.from_numpy(at)[None])[0].exp().numpy()
    base.float()
    assert np.allclose(slope, density, rtol=1e-4)


@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
@pytest.mark.parametrize("mass", [0.2, 0.9])
def test_draws_are_those_of_the_centre(base: Base, mass: float) -> None:
    truncation = Truncation(base, mass)
    z = truncation.sample(3, 2000, generator=torch.Generator().manual_seed(0)).detach().double().numpy()
    ranks = (marginal(base).cdf(z) - 0.5) / mass + 0.5
    assert ranks.min() > -1e-4 and ranks.max() < 1.0 + 1e-4
    assert scipy.stats.kstest(ranks.ravel(), "uniform").pvalue > 1e-3
    spread = np.sqrt(np.mean(z**2, axis=(0, 2))) / marginal(base).std()[:, 0]
    assert truncation.narrowing == pytest.approx(spread.mean(), rel=0.03)


def test_the_whole_mass_is_the_base_itself() -> None:
    base = StudentT(2)
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    whole = Truncation(base, 1.0)
    assert torch.equal(whole.sample(2, 8, generator=first), base.sample(2, 8, generator=second))
    assert whole.narrowing == 1.0


def test_truncated_normal_noise_has_its_known_deviation() -> None:
    bound = scipy.stats.norm.ppf(0.95)
    assert Truncation(Normal(1), 0.9).narrowing == pytest.approx(
        scipy.stats.truncnorm(-bound, bound).std(), rel=1e-4
    )


def test_sequences_are_drawn_from_the_centre() -> None:
    flow: Flow = scaled(3.0, 2.0)
    (drawn,) = draw(flow, 1, 5000, truncation=0.5, temperature=2.0, seed=1)
    farthest = (drawn.values - 3.0).abs().max().item() / 4.0
    assert farthest == pytest.approx(scipy.stats.norm.ppf(0.75), rel=0.01)
    (again,) = draw(flow, 1, 5000, truncation=0.5, temperature=2.0, seed=1)
    assert torch.equal(drawn.values, again.values)
    for mass in (0.0, 1.1, float("nan")):
        with pytest.raises(UsageError, match="truncation"):
            draw(flow, 1, 8, truncation=mass)
