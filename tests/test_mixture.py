"""Mixtures of Gaussians with one covariance, against scipy and against what they were drawn from."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from seqflow.mixture import Mixture, fit_mixture


def drawn(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Examples around three means, and which of them each is around."""
    rng = np.random.default_rng(seed)
    means = np.array([[6.0, 0.0, 0.0], [-6.0, 1.0, 0.0], [0.0, -7.0, 5.0]])
    which = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return means[which] + rng.standard_normal((n, 3)) * [1.0, 0.8, 1.2], which


def test_log_density_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    mixture = Mixture(np.array([0.2, 0.8]), rng.standard_normal((2, 3)), np.array([0.5, 2.0, 1.0]))
    u = 3.0 * rng.standard_normal((50, 3))
    parts = [multivariate_normal(m, np.diag(mixture.variances)).logpdf(u) for m in mixture.means]
    expected = logsumexp(np.stack(parts, 1), axis=1, b=mixture.weights)
    np.testing.assert_allclose(mixture.log_prob(u), expected, rtol=1e-10)


def test_the_components_are_found() -> None:
    u, which = drawn()
    mixture = fit_mixture(u, 3, floor=0.0)
    order = np.argsort(-mixture.weights)
    np.testing.assert_allclose(mixture.weights[order], np.bincount(which) / len(u), atol=0.01)
    np.testing.assert_allclose(mixture.means[order], [u[which == k].mean(0) for k in range(3)], atol=0.05)
    inner = np.square(u - np.stack([u[which == k].mean(0) for k in range(3)])[which]).mean(0)
    np.testing.assert_allclose(mixture.variances, inner, rtol=0.02)


def test_a_round_never_lowers_the_likelihood() -> None:
    u = drawn()[0]
    values = [fit_mixture(u, 8, rounds=rounds, floor=0.0).log_prob(u).mean() for rounds in range(6)]
    assert np.diff(values).min() > -1e-4 and values[-1] > values[0]


def test_variances_keep_to_the_floor() -> None:
    u = drawn()[0] * [1.0, 1e-3, 1.0]
    mixture = fit_mixture(u, 3, floor=1.0)
    # The least is the mean as it was before it was raised.
    assert mixture.variances[1] == pytest.approx(mixture.variances.min()) and mixture.variances[1] > 0.1


def test_shared_out_probabilities() -> None:
    u, which = drawn()
    share = fit_mixture(u, 3).responsibilities(u)
    np.testing.assert_allclose(share.sum(1), 1.0, rtol=1e-12)
    assert [len(set(share.argmax(1)[which == k])) for k in range(3)] == [1, 1, 1]


def test_fewer_examples_than_components_and_equal_examples() -> None:
    few = np.array([[0.0, 1.0], [2.0, 3.0]])
    assert np.isfinite(fit_mixture(few, 64).log_prob(few)).all()
    equal = np.ones((40, 5))
    mixture = fit_mixture(equal, 64)
    assert len(mixture.weights) == 1
    assert mixture.log_prob(equal)[0] > mixture.log_prob(equal + 0.1)[0]


def test_examples_that_rounding_tells_apart_are_no_cause_for_a_warning() -> None:
    rng = np.random.default_rng(0)
    u = np.repeat(rng.standard_normal((20, 5)), 3, axis=0) + 1e-15 * rng.standard_normal((60, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(fit_mixture(u, 64).log_prob(u)).all()


def test_equal_seeds_give_equal_mixtures() -> None:
    u = drawn()[0]
    a, b = (fit_mixture(u, 8, seed=3) for _ in range(2))
    assert np.array_equal(a.means, b.means) and np.array_equal(a.weights, b.weights)


@pytest.mark.parametrize(
    ("u", "components"), [(np.zeros((0, 3)), 2), (np.zeros((4, 3)), 0), (np.zeros(4), 1)]
)
def test_what_cannot_be_fitted(u: np.ndarray, components: int) -> None:
    with pytest.raises(ValueError, match="need examples"):
        fit_mixture(u, components)
