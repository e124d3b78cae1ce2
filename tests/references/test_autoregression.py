"""Autoregressions against SciPy: as one normal of the whole window, and as a product of Student densities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import toeplitz
from scipy.signal import lfilter

from seqflow.references.autoregression import ar_gaussian, ar_student, student_nats


def series(noise: np.ndarray) -> np.ndarray:
    return np.asarray(lfilter([1.0], [1.0, -1.2, 0.5], noise))


@pytest.mark.parametrize("order", [1, 2, 8, 40])
def test_gaussian_is_one_normal_of_the_window(order: int) -> None:
    rng = np.random.default_rng(order)
    train = [series(rng.standard_normal(n)) for n in (900, 501)]
    test = series(rng.standard_normal(6 * 32)).reshape(6, 32)
    padded = [np.concatenate((np.zeros(order), r)) for r in train]
    past = np.concatenate(
        [np.stack([p[order - k : len(p) - k] for k in range(1, order + 1)], 1) for p in padded]
    )
    target = np.concatenate(train)
    # Row t of the whitening: the sample less its prediction from the min(t, order) before it.
    whiten = np.zeros((32, 32))
    for t in range(32):
        k = min(t, order)
        a = np.linalg.lstsq(past[:, :k], target, rcond=None)[0]
        left = np.sqrt(np.mean((target - past[:, :k] @ a) ** 2))
        whiten[t, t - k : t + 1] = np.append(-a[::-1], 1.0) / left
    synthesis = np.linalg.inv(whiten)
    normal = stats.multivariate_normal(cov=synthesis @ synthesis.T)
    found = ar_gaussian(train, test, order)
    np.testing.assert_allclose(found.nats, -normal.logpdf(test), rtol=1e-7)
    assert found.parameters == order + 1


def test_gaussian_comes_close_to_the_stationary_normal_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    x = series(rng.standard_normal(80_000))[1_000:]
    response = lfilter([1.0], [1.0, -1.2, 0.5], np.eye(1, 400)[0])
    covariance = toeplitz([response[: 400 - k] @ response[k:] for k in range(32)])
    test = x[60_000:].reshape(-1, 200)[:, :32]
    expected = -stats.multivariate_normal(cov=covariance).logpdf(test)
    for order in (2, 8, 40):
        np.testing.assert_allclose(ar_gaussian([x[:60_000]], test, order).nats, expected, atol=0.5)


@given(st.floats(0.3, 200.0), st.floats(1e-6, 1e6), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5))
@settings(max_examples=50)
def test_student_density(nu: float, scale: float, values: list[float]) -> None:
    e = np.array(values)
    expected = -stats.t(nu, scale=scale).logpdf(e)
    np.testing.assert_allclose(student_nats(e**2, nu, scale**2), expected, rtol=1e-9, atol=1e-9)


def test_student_comes_close_to_the_density_that_made_the_data() -> None:
    true = stats.t(3.0, scale=0.2)
    noise = true.rvs(60_000, random_state=np.random.default_rng(0))
    train = [series(noise[:50_000])]
    test = series(noise)[50_000:].reshape(-1, 1_000)
    innovations = noise[50_000:].reshape(-1, 1_000)
    found = ar_student(train, test, order=2)
    expected = -true.logpdf(innovations).sum(1)
    assert abs(found.nats.mean() - expected.mean()) / 1_000 < 0.006
    assert ar_gaussian(train, test, order=2).nats.mean() / 1_000 > expected.mean() / 1_000 + 0.1
    assert found.parameters == 4


@pytest.mark.parametrize("density", [ar_gaussian, ar_student])
def test_a_pure_tone_and_windows_shorter_than_the_order(density: object) -> None:
    tone = np.sin(np.arange(400) * 0.3)
    found = density([tone], tone[:24].reshape(4, 6), order=16)  # type: ignore[operator]
    assert np.isfinite(found.nats).all()
