"""Shapes of windows, periods, covering means and excesses: each against a computation of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.shapes import Shape, WindowModel, find_period
from seqflow.shapes import window_model as module
from seqflow.shapes.excess import Excess
from seqflow.shapes.gaussian import WindowGaussian
from seqflow.shapes.window_model import covering_mean, window_lengths


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length)


def wave(length: int, period: float = 40.0, seed: int = 0) -> np.ndarray:
    t = np.arange(length) / period
    return np.sin(2 * np.pi * t) + 0.4 * np.sin(4 * np.pi * t + 1.0) + 0.05 * noise(length, seed)


@given(
    length=st.integers(3, 24),
    softening=st.floats(0.0, 0.95),
    scale=st.floats(0.01, 30.0),
    seed=st.integers(0, 99),
)
def test_log_determinant_is_that_of_the_jacobian(
    length: int, softening: float, scale: float, seed: int
) -> None:
    shape = Shape(softening, 0.1)
    window = scale * noise(length, seed)
    # x without level has L - 1 coordinates: its own cosine coefficients but the first.
    base = Shape(0.0, 0.1)
    x = base.coefficients(window[None])[0]
    basis = np.linalg.pinv(base.coefficients(np.eye(length))).T

    def through(c: np.ndarray) -> np.ndarray:
        return shape.coefficients((basis @ c)[None])[0]

    np.testing.assert_allclose(base.coefficients((basis @ x)[None])[0], x, atol=1e-10 * scale)
    h = 1e-5 * scale
    jacobian = np.stack([(through(x + h * e) - through(x - h * e)) / (2 * h) for e in np.eye(length - 1)], 1)
    expected = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(shape.log_det(window[None])[0], expected, atol=1e-5 * length)


def test_a_shape_knows_no_level_and_softens_the_amplitude() -> None:
    x = noise(32)[None]
    hard, soft = Shape(0.0), Shape(0.4)
    np.testing.assert_allclose(soft.coefficients(x + 100.0), soft.coefficients(x), atol=1e-10)
    ratio = [
        np.linalg.norm(s.coefficients(100.0 * x)) / np.linalg.norm(s.coefficients(x)) for s in (hard, soft)
    ]
    assert ratio[0] == pytest.approx(100.0) and ratio[1] == pytest.approx(100.0**0.6, rel=0.1)
    # Orthonormal: without softening lengths are kept.
    assert np.linalg.norm(hard.coefficients(x)) == pytest.approx(np.linalg.norm(x - x.mean()))


@pytest.mark.parametrize(("softening", "floor"), [(-0.1, 0.1), (1.1, 0.1), (0.4, 0.0)])
def test_shapes_that_are_none(softening: float, floor: float) -> None:
    with pytest.raises(ValueError, match="softening"):
        Shape(softening, floor)


@pytest.mark.parametrize("period", [7, 40, 333])
def test_the_period_of_a_wave(period: int) -> None:
    found = find_period(wave(5_000, period))
    assert found is not None and abs(found - period) <= 1


@pytest.mark.parametrize("x", [noise(5_000), np.ones(5_000), np.arange(5_000.0), noise(5), np.zeros(0)])
def test_series_without_a_period(x: np.ndarray) -> None:
    assert find_period(x) is None


@given(count=st.integers(1, 60), length=st.integers(1, 20), seed=st.integers(0, 99))
def test_covering_mean(count: int, length: int, seed: int) -> None:
    values = noise(count, seed)
    expected = [values[max(0, t - length + 1) : t + 1].mean() for t in range(count + length - 1)]
    np.testing.assert_allclose(covering_mean(values, length), expected, atol=1e-10)


def test_lengths_of_windows() -> None:
    assert window_lengths(200, 3_000, (16, 64), 64) == (200, 16, 64)
    assert window_lengths(12, 3_000, (16, 64), 64) == (64, 16)
    assert window_lengths(None, 90, (16, 64), 64) == (30, 16)
    assert window_lengths(None, 3, (16,), 64) == (2,)


def test_surprise_does_not_depend_on_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    x = wave(700)
    model = WindowModel.fit(x, 40, components=8)
    gaussian = WindowGaussian.fit(x, 40)
    whole, flat = model.surprise(x), gaussian.surprise(x)
    assert whole.shape == (661,) and model.track(x).shape == (700,)
    for chunk in (1, 999):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        monkeypatch.setattr("seqflow.shapes.gaussian._CHUNK", chunk)
        np.testing.assert_allclose(model.surprise(x), whole, rtol=1e-12)
        np.testing.assert_allclose(gaussian.surprise(x), flat, rtol=1e-12)


def test_several_modes_see_what_one_gaussian_does_not() -> None:
    # Two shapes in turn: their mean, a flat window, is near to neither.
    rng = np.random.default_rng(0)
    up = np.sin(np.linspace(0.0, np.pi, 50)) ** 2
    x = np.concatenate([up if rng.random() < 0.5 else -up for _ in range(120)]) + 0.03 * noise(6_000)
    odd = x.copy()
    odd[3_000:3_050] = 0.03 * noise(50, 1)
    model, gaussian = WindowModel.fit(x, 50), WindowGaussian.fit(x, 50)
    assert 2_950 < model.track(odd).argmax() < 3_100
    assert model.surprise(odd)[3_000] > np.quantile(model.surprise(x), 0.99)
    assert gaussian.surprise(odd)[3_000] < np.median(gaussian.surprise(x))


def test_trimming_forgets_what_is_rare() -> None:
    x = wave(4_000)
    x[1_000:1_060] = 2.0 * noise(60, 5)
    kept, trimmed = (WindowModel.fit(x, 40, components=200, trim=trim) for trim in (0.0, 0.1))

    def height(model: WindowModel) -> float:
        surprise = model.surprise(x)
        return float((surprise[1_010] - np.median(surprise)) / surprise.std())

    assert height(trimmed) > height(kept)


def test_gaussian_surprise_is_a_density() -> None:
    x = np.cumsum(noise(3_000)) * 0.1
    gaussian = WindowGaussian.fit(x, 3)
    grid = np.linspace(-14.0, 14.0, 57)
    points = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3) + x.mean()
    # Each point a window of its own.
    flat = points.reshape(-1)
    density = np.exp(-gaussian.surprise(flat)[::3])
    wide = WindowGaussian(gaussian.means, np.maximum(gaussian.variances, 0.5))
    assert np.exp(-wide.surprise(flat)[::3]).sum() * (grid[1] - grid[0]) ** 3 == pytest.approx(1.0, rel=0.02)
    assert density.max() > 0.0


def test_windows_that_do_not_fit() -> None:
    for length in (1, 101):
        with pytest.raises(ValueError, match="do not fit"):
            WindowModel.fit(noise(100), length)


def test_excess_in_units_of_the_reference() -> None:
    reference = np.random.default_rng(0).exponential(3.0, 100_001) + 7.0
    excess = Excess.of(reference)
    # Above the median an exponential is one again.
    assert excess.usual == pytest.approx(7.0 + 3.0 * np.log(2.0), rel=0.01) and excess.unit == pytest.approx(
        3.0, rel=0.02
    )
    np.testing.assert_allclose(excess(np.array([0.0, excess.usual + 30.0])), [0.0, 10.0], rtol=0.03)
    moved = 2.0 * reference + 5.0
    np.testing.assert_allclose(Excess.of(moved)(moved), excess(reference), rtol=1e-6, atol=1e-6)


def test_scores_that_stand_still_have_a_unit() -> None:
    excess = Excess.of(np.full(10, 4.0))
    assert excess(np.full(3, 4.0 + 1e-12)).max() < 1e-5 and excess(np.array([5.0]))[0] > 1e4
