"""Distances of sets: zero for the same, and what is known for others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from seqflow.quality.frechet import frechet_distance, spectral_statistics
from seqflow.quality.loudness import (
    Distribution,
    amplitude_wasserstein,
    kurtosis,
    relative_wasserstein,
    rms,
    share_beyond,
)
from seqflow.quality.spectrum import level_difference, spectral_distance, spectral_spread_distance


def test_levels_that_are_all_higher(rng: np.random.Generator) -> None:
    levels = rng.standard_normal((50, 4, 7))
    offset = np.array([3.0, -4.0, 0.0, 0.0])
    moved = levels + offset[:, None]
    assert np.allclose(level_difference(moved, levels), offset)
    assert spectral_distance(moved, levels) == pytest.approx(2.5)
    assert spectral_spread_distance(moved, levels) == pytest.approx(7.0 / 4)
    assert spectral_distance(levels, levels) == spectral_spread_distance(levels, levels) == 0.0


def test_always_equally_loud_is_far_from_one_that_changes() -> None:
    changing = np.array([-1.0, 1.0]).reshape(2, 1, 1)
    assert spectral_distance(np.zeros((2, 1, 1)), changing) == 0.0
    assert spectral_spread_distance(np.zeros((2, 1, 1)), changing) == 1.0


@given(st.floats(0.1, 10.0))
def test_scaled_copies_are_as_far_as_their_scale(scale: float) -> None:
    x = np.abs(np.random.default_rng(1).standard_normal((60, 2, 40))) + 0.1
    assert relative_wasserstein(rms(scale * x), rms(x)) == pytest.approx(abs(scale - 1.0))
    wanted = abs(scale - 1.0) * np.mean([x[:, c].mean() / x[:, c].std() for c in (0, 1)])
    assert amplitude_wasserstein(scale * x, x) == pytest.approx(wanted)


def test_rms_and_percentiles() -> None:
    x = np.array([[[3.0, -3.0], [4.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert rms(x).tolist() == [pytest.approx(np.sqrt(12.5)), 0.0]
    found = Distribution.of(np.arange(101.0))
    assert (found.p10, found.p50, found.p90, found.mean) == (10.0, 50.0, 90.0, 50.0)


def test_silence_beside_silence_and_beside_sound() -> None:
    silent = np.zeros(3)
    assert relative_wasserstein(silent, silent) == 0.0
    assert relative_wasserstein(np.ones(3), silent) == np.inf


def test_kurtosis_of_known_noise(rng: np.random.Generator) -> None:
    assert kurtosis(rng.standard_normal((100, 1, 2000))) == pytest.approx(0.0, abs=0.05)
    assert kurtosis(rng.laplace(size=(100, 1, 2000))) == pytest.approx(3.0, abs=0.3)
    assert kurtosis(np.ones((2, 1, 8))) == 0.0


def test_sequences_beyond_a_range_are_counted_once() -> None:
    x = np.zeros((4, 2, 5))
    x[0, 0, :] = 2.0
    x[1, 1, 3] = -1.5
    x[2, 0, 0] = 1.0
    assert share_beyond(x, np.array([-1.0, -1.0]), np.array([1.0, 1.0])) == 0.5


def test_frechet_distance_of_known_gaussians() -> None:
    # Points whose mean and covariance are exact: ±√n·e_i have covariance n/(n - 1) · 2/n·n = 2n/(2n - 1)·I.
    points = np.concatenate([np.eye(3), -np.eye(3)])
    exact = points * np.sqrt(2.5)
    assert np.allclose(np.cov(exact, rowvar=False), np.eye(3))
    scales, shift = np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, -2.0])
    assert frechet_distance(exact * scales + shift, exact) == pytest.approx(5.0 + 0.0 + 1.0 + 4.0)
    assert frechet_distance(exact, exact) == pytest.approx(0.0, abs=1e-12)


def test_frechet_distance_is_that_by_scipys_matrix_root(rng: np.random.Generator) -> None:
    a = rng.standard_normal((200, 5)) @ rng.standard_normal((5, 5))
    b = rng.standard_normal((150, 5)) @ rng.standard_normal((5, 5)) + 0.3
    one, other = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(scipy.linalg.sqrtm(one @ other))
    wanted = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(one + other - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(wanted)


def test_frechet_distance_of_few_and_of_flat_features(rng: np.random.Generator) -> None:
    flat = np.zeros((10, 4))
    assert frechet_distance(flat, flat + 1.0) == pytest.approx(4.0)
    few = rng.standard_normal((3, 20))
    assert np.isfinite(frechet_distance(few, rng.standard_normal((4, 20))))
    with pytest.raises(ValueError, match="two rows"):
        frechet_distance(few[:1], few)


def test_spectral_statistics_are_means_and_deviations() -> None:
    levels = np.array([[[1.0, 3.0], [5.0, 5.0]]])
    assert spectral_statistics(levels).tolist() == [[2.0, 5.0, 1.0, 0.0]]
