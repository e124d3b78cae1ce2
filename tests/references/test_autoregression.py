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
def test_gaussian_is_one_normal_of_the_window_with_zeros_before_it(order: int) -> None:
    rng = np.random.default_rng(order)
    train = [series(rng.standard_normal(n)) for n in (900, 501)]
    test = series(rng.standard_normal(6 * 32)).reshape(6, 32)
    padded = [np.concatenate((np.zeros(order), r)) for r in train]
    past = np.concatenate(
        [np.stack([p[order - k : len(p) - k] for k in range(1, order + 1)], 1) for p in padded]
    )
    target = np.concatenate(train)
    a = np.linalg.lstsq(past, target, rcond=None)[0]
    variance = np.mean((target - past @ a) ** 2)
    column = np.concatenate(([1.0], -a, np.zeros(32)))[:32]
    whiten = np.tril(toeplitz(column))
    synthesis = np.linalg.inv(whiten)
    normal = stats.multivariate_normal(cov=variance * synthesis @ synthesis.T)
    found = ar_gaussian(train, test, order)
    np.testing.assert_allclose(found.nats, -normal.logpdf(test), rtol=1e-7)
    assert found.parameters == order + 1


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
    # Each window begins from zeros, as the density says.
    innovations = noise[50_000:].reshape(-1, 100)
    test = series(innovations)
    found = ar_student(train, test, order=2)
    expected = -true.logpdf(innovations).sum(1)
    assert abs(found.nats.mean() - expected.mean()) / 100 < 0.005
    assert ar_gaussian(train, test, order=2).nats.mean() / 100 > expected.mean() / 100 + 0.1
    assert found.parameters == 4


@pytest.mark.parametrize("density", [ar_gaussian, ar_student])
def test_a_pure_tone_and_windows_shorter_than_the_order(density: object) -> None:
    tone = np.sin(np.arange(400) * 0.3)
    found = density([tone], tone[:24].reshape(4, 6), order=16)  # type: ignore[operator]
    assert np.isfinite(found.nats).all()
