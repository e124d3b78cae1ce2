"""Mixtures over whole windows: an exact density, its shares, its samples, and its start."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from scipy.stats import t as student_t

from seqflow.distributions import WindowMixture
from seqflow.errors import UsageError
from seqflow.marginals import marginal
from seqflow.mixture import Mixture
from seqflow.ops.shapes import squeeze


def moved(
    channels: int,
    length: int,
    components: int,
    factor: int = 1,
    scale: float = 0.5,
    freedom: float | None = None,
) -> WindowMixture:
    base = WindowMixture(channels, length, components, factor=factor, freedom=freedom).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in base.parameters():
            parameter.add_(scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return base


def gaussians(base: WindowMixture, channels: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Weights, means in time and covariance in time of windows (C, L) in a row, by scipy."""
    scale = base.log_scale.detach().exp().numpy()
    means = torch.cat((base.level.expand(len(base.logits), -1, -1), base.means), -1).detach().numpy() * scale
    basis = scipy.fft.dct(np.eye(base.length), axis=0, norm="ortho")
    whole = np.kron(np.eye(channels), basis)
    covariance = whole.T @ np.diag(scale.ravel() ** 2) @ whole
    weights = torch.softmax(base.logits.detach(), 0).numpy()
    return weights, [whole.T @ mean.ravel() for mean in means], covariance


@pytest.mark.parametrize("length", [6, 7])
@pytest.mark.parametrize("channels", [1, 2])
def test_density_is_that_of_scipy(length: int, channels: int) -> None:
    base = moved(channels, length, 3)
    z = 2.0 * torch.randn(20, channels, length, dtype=torch.float64)
    weights, means, covariance = gaussians(base, channels)
    flat = z.reshape(20, -1).numpy()
    parts = [multivariate_normal(mean, covariance).logpdf(flat) for mean in means]
    wanted = logsumexp(np.stack(parts, 1), axis=1, b=weights)
    np.testing.assert_allclose(base.log_prob(z).sum((1, 2)).detach().numpy(), wanted, atol=1e-9)


def test_shares_are_the_mean_fit_of_the_components() -> None:
    base = moved(1, 8, 4)
    z = torch.randn(1, 1, 8, dtype=torch.float64)
    weights, means, covariance = gaussians(base, 1)
    joint = np.array([multivariate_normal(mean, covariance).logpdf(z.numpy().ravel()) for mean in means])
    joint = joint + np.log(weights)
    r = np.exp(joint - logsumexp(joint))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    square = np.stack([(root @ (z.numpy().ravel() - mean)) ** 2 for mean in means])
    rest = r @ (np.log(weights) - np.log(r)) - 0.5 * np.linalg.slogdet(covariance)[1]
    wanted = -0.5 * (r @ square + math.log(2.0 * math.pi)) + rest / 8
    np.testing.assert_allclose(base.log_prob(z)[0, 0].detach().numpy(), wanted, atol=1e-10)


@pytest.mark.parametrize("channels", [1, 2])
def test_heavy_tails_are_those_of_scipy(channels: int) -> None:
    """Samples of the whitened window, each a Student's t about that of the component."""
    base = moved(channels, 6, 3, freedom=4.0)
    assert base.raw_freedom is not None
    nu = 2.0 + math.log1p(math.exp(base.raw_freedom.item()))
    z = 3.0 * torch.randn(20, channels, 6, dtype=torch.float64)
    weights, means, covariance = gaussians(base, channels)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    e = (z.flatten(1).numpy()[:, None] - np.stack(means)) @ root.T
    parts = student_t.logpdf(e, nu).sum(-1) - 0.5 * np.log(values).sum()
    wanted = logsumexp(parts, axis=1, b=weights)
    np.testing.assert_allclose(base.log_prob(z).sum((1, 2)).detach().numpy(), wanted, atol=1e-9)
    # The same mixture by Gaussians gives the far ones less.
    plain = moved(channels, 6, 3)
    assert bool((base.log_prob(10 * z).sum((1, 2)) > plain.log_prob(10 * z).sum((1, 2))).all())


def test_squeezed_noise_is_put_in_order() -> None:
    plain, squeezed = moved(2, 12, 3), moved(8, 12, 3, factor=4)
    z = torch.randn(5, 2, 12, dtype=torch.float64)
    shares = squeezed.log_prob(squeeze(z, 4))
    assert shares.shape == (5, 8, 3)
    torch.testing.assert_close(shares, squeeze(plain.log_prob(z), 4))


def test_longer_sequences_are_independent_windows() -> None:
    base = moved(4, 8, 3, factor=2)
    z = torch.randn(3, 4, 12, dtype=torch.float64)
    parts = [base.log_prob(z[..., at : at + 4]) for at in (0, 4, 8)]
    torch.testing.assert_close(base.log_prob(z), torch.cat(parts, -1))
    with pytest.raises(ValueError, match="no windows of 4"):
        base.log_prob(z[..., :6])


@pytest.mark.parametrize("freedom", [None, 5.0])
def test_gradcheck(freedom: float | None) -> None:
    base = moved(2, 4, 3, factor=2, freedom=freedom)
    z = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: base.log_prob(value), (z,))
    base.log_prob(z).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().max() > 0) for p in base.parameters())


@pytest.mark.parametrize("freedom", [None, 30.0])
def test_samples_follow_the_density(freedom: float | None) -> None:
    base = moved(2, 5, 3, scale=1.0, freedom=freedom)
    drawn = base.sample(40_000, 5, generator=torch.Generator().manual_seed(3)).flatten(1).numpy()
    weights, means, covariance = gaussians(base, 2)
    if base.raw_freedom is not None:
        nu = 2.0 + math.log1p(math.exp(base.raw_freedom.item()))
        covariance = covariance * nu / (nu - 2.0)
    mean = weights @ np.stack(means)
    spread = np.stack(means) - mean
    total = covariance + (weights[:, None] * spread).T @ spread
    deviation = np.sqrt(np.diag(total))
    assert np.abs((drawn.mean(0) - mean) / deviation).max() < 0.03
    assert np.abs((np.cov(drawn.T) - total) / np.outer(deviation, deviation)).max() < 0.03


def test_samples_of_several_windows_are_in_order() -> None:
    base = moved(2, 6, 2, factor=2)
    with torch.no_grad():
        base.log_scale.fill_(math.log(1e-6))
        base.logits.copy_(torch.tensor([0.0, -100.0]))
    z = base.sample(3, 9)
    one = base.sample(1, 3)
    torch.testing.assert_close(z, one.repeat(3, 1, 3), atol=1e-4, rtol=0)


def test_temperature_narrows_draws_about_their_components() -> None:
    base = moved(1, 6, 3)
    cold, half, full = (
        base.sample(4, 6, temperature=t, generator=torch.Generator().manual_seed(2)) for t in (0.0, 0.5, 1.0)
    )
    torch.testing.assert_close(half - cold, 0.5 * (full - cold))


def test_it_starts_at_the_mixture_of_the_windows() -> None:
    rng = np.random.default_rng(0)
    shapes = np.sin(np.linspace(0, 2 * np.pi, 32) * np.array([[1.0], [2.0], [3.0]]))
    which = rng.integers(0, 3, 900)
    level = 5.0 * rng.standard_normal((900, 1))
    x = 2.0 * shapes[which] + level + 0.3 * rng.standard_normal((900, 32))
    base = WindowMixture(2, 32, 3, factor=2).double()
    base.initialize(squeeze(torch.from_numpy(x).unsqueeze(1), 2))
    u = scipy.fft.dct(x, axis=1, norm="ortho")
    means = np.stack([u[which == k].mean(0) for k in range(3)])
    means[:, 0] = u[:, 0].mean()
    variances = np.square(u - means[which]).mean(0)
    known = Mixture(np.bincount(which) / 900, means, variances)
    found = base.log_prob(squeeze(torch.from_numpy(x).unsqueeze(1), 2)).sum((1, 2)).detach().numpy()
    np.testing.assert_allclose(found, known.log_prob(u), atol=0.05)


def test_it_starts_from_few_and_from_equal_windows() -> None:
    for x in (torch.randn(2, 1, 16), torch.ones(5, 1, 16), torch.zeros(1, 1, 16)):
        for freedom in (None, 8.0):
            base = WindowMixture(1, 16, 8, freedom=freedom)
            base.initialize(x)
            assert bool(base.log_prob(x).isfinite().all())


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="components"):
        WindowMixture(1, 16, 0)
    with pytest.raises(ValueError, match="multiples of 2"):
        WindowMixture(2, 15, 3, factor=2)
    with pytest.raises(ValueError, match="above 2"):
        WindowMixture(1, 16, 3, freedom=2.0)
    with pytest.raises(UsageError, match="window_mixture"):
        marginal(WindowMixture(1, 16, 3))
