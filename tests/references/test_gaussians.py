"""Gaussian windows against SciPy's multivariate normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.fft import dct, rfft
from scipy.linalg import circulant
from scipy.signal import lfilter

from seqflow.references import Unfit
from seqflow.references.fit import cut
from seqflow.references.gaussians import (
    MOST_DIMENSIONS,
    circulant_gaussian,
    dct_gaussian,
    full_gaussian,
)
from seqflow.references.independent import laplace


def coloured(seed: int, length: int = 4000) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal(length)
    return np.asarray(lfilter([0.5], [1.0, -0.7], white))


TRAIN = [coloured(seed) for seed in range(3)]


def windows(length: int, count: int = 5) -> np.ndarray:
    return coloured(99)[: count * length].reshape(count, length)


def test_laplace() -> None:
    scale = np.abs(np.concatenate(TRAIN)).mean()
    expected = -stats.laplace(scale=scale).logpdf(windows(16)).sum(1)
    np.testing.assert_allclose(laplace(TRAIN, windows(16)).nats, expected, rtol=1e-12)


@pytest.mark.parametrize("length", [2, 15, 16, 33])
def test_dct_is_a_normal_with_that_basis(length: int) -> None:
    basis = dct(np.eye(length), norm="ortho", axis=0)
    variance = np.mean((cut(TRAIN, length) @ basis.T) ** 2, axis=0)
    covariance = basis.T @ np.diag(variance) @ basis
    found = dct_gaussian(TRAIN, windows(length))
    expected = -stats.multivariate_normal(cov=covariance).logpdf(windows(length))
    np.testing.assert_allclose(found.nats, expected, rtol=1e-9)
    assert found.parameters == length


@pytest.mark.parametrize("length", [2, 15, 16, 33])
def test_circulant_is_a_normal_with_that_covariance(length: int) -> None:
    power = np.mean(np.abs(rfft(cut(TRAIN, length), norm="ortho")) ** 2, axis=0)
    covariance = circulant(np.fft.irfft(power, length))
    found = circulant_gaussian(TRAIN, windows(length))
    expected = -stats.multivariate_normal(cov=covariance).logpdf(windows(length))
    np.testing.assert_allclose(found.nats, expected, rtol=1e-9)
    assert found.parameters == length // 2 + 1


@pytest.mark.parametrize("channels", [1, 2])
def test_full_is_the_sample_mean_and_covariance(channels: int) -> None:
    rng = np.random.default_rng(0)
    train = [3.0 + rng.standard_normal((channels, 700)).cumsum(1) * 0.01 for _ in range(2)]
    test = 3.0 + 0.1 * rng.standard_normal((4, channels, 6))
    size = 6 * channels
    hop = min(3, 1400 // (8 * size))
    flat = np.concatenate([np.stack([r[:, i : i + 6].ravel() for i in range(0, 695, hop)]) for r in train])
    normal = stats.multivariate_normal(flat.mean(0), np.cov(flat.T, bias=True))
    found = full_gaussian(train, test)
    np.testing.assert_allclose(found.nats, -normal.logpdf(test.reshape(4, -1)), rtol=1e-6)
    assert found.parameters == size + size * (size + 1) // 2


@pytest.mark.parametrize(
    ("train", "shape", "why"),
    [
        (np.random.default_rng(0).standard_normal((1, 20)), (1, 1, 16), "5 training windows determine no"),
        (np.ones((1, 500)), (1, 1, 8), "singular"),
        (np.zeros((1, 9)), (1, 1, MOST_DIMENSIONS + 1), "at most"),
    ],
)
def test_a_covariance_that_the_data_do_not_determine(
    train: np.ndarray, shape: tuple[int, ...], why: str
) -> None:
    with pytest.raises(Unfit, match=why):
        full_gaussian([train], np.zeros(shape))


def test_no_training_window() -> None:
    with pytest.raises(Unfit, match="16 samples of a window"):
        dct_gaussian([np.zeros(8)], np.zeros((1, 16)))
