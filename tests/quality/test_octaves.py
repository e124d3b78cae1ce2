"""Levels in octave bands: all of the power, each part in its place, offsets as they are known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from seqflow.quality.octaves import band_edges, band_levels, octave_bands

NONE = np.array([1e-30])


@given(st.integers(16, 100_000))
def test_bands_follow_each_other_and_leave_only_the_mean(length: int) -> None:
    bands = octave_bands(length)
    assert bands[0, 0] == 1 and bands[-1, 1] == length // 2 + 1
    assert (bands[1:, 0] == bands[:-1, 1]).all() and (bands[:, 0] < bands[:, 1]).all()
    assert len(bands) <= 10


def test_edges_are_octaves_of_the_rate() -> None:
    edges = band_edges(octave_bands(1024), 1024, 8000.0)
    assert edges[-4:].tolist() == [[250.0, 500.0], [500.0, 1000.0], [1000.0, 2000.0], [2000.0, 4000.0]]
    assert edges[0, 0] == 0.0


def test_white_noise_has_its_variance_in_all_bands_together(rng: np.random.Generator) -> None:
    x = 0.3 * rng.standard_normal((500, 1, 256))
    bands = octave_bands(256)
    power = np.zeros(len(x))
    for one in range(len(bands)):
        power += 10 ** (band_levels(x, bands[one : one + 1], NONE)[:, 0] / 10)
    assert power.mean() == pytest.approx(0.09, rel=0.03)


def test_a_tone_is_in_its_band_with_half_its_square() -> None:
    time = np.arange(2048) / 8000.0
    x = (0.5 * np.sin(2 * np.pi * 1500.0 * time) + 7.0)[None, None]
    bands = octave_bands(2048)
    levels = band_levels(x, bands, NONE)[0]
    assert levels[-2] == pytest.approx(10 * np.log10(0.125), abs=0.02)
    assert np.delete(levels, -2).max() < levels[-2] - 60.0


def test_gain_and_filter_move_levels_by_what_is_known(rng: np.random.Generator) -> None:
    x = rng.standard_normal((400, 1, 1024))
    bands = octave_bands(1024)
    louder = band_levels(2.0 * x, bands, NONE) - band_levels(x, bands, NONE)
    assert np.allclose(louder, 20 * np.log10(2.0))
    # y[t] = x[t] + x[t-1] / 2, circular, has |H|² = 1.25 + cos ω.
    filtered = band_levels(x + 0.5 * np.roll(x, 1, axis=-1), bands, NONE) - band_levels(x, bands, NONE)
    omega = 2 * np.pi * np.arange(513) / 1024
    wanted = [10 * np.log10((1.25 + np.cos(omega[low:high])).mean()) for low, high in bands]
    assert np.allclose(filtered.mean(axis=0)[-5:], wanted[-5:], atol=0.15)


def test_the_sum_over_bins_is_that_of_scipy(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 1, 512))
    bands = octave_bands(512)
    frequencies, power = scipy.signal.periodogram(
        x[:, 0], window="hann", detrend="constant", scaling="density"
    )
    power[:, -1] *= 2.0  # that of the last bin is counted once there
    wanted = [10 * np.log10(power[:, low:high].sum(axis=1) / 512) for low, high in bands]
    assert len(frequencies) == 257
    assert np.allclose(band_levels(x, bands, NONE), np.stack(wanted, axis=1))


def test_silence_has_the_level_of_the_quantisation() -> None:
    bands = octave_bands(64)
    levels = band_levels(np.zeros((1, 2, 64)), bands, np.array([1e-4, 1e-4]))[0]
    share = (bands[:, 1] - bands[:, 0]) / 32
    assert np.allclose(levels, 10 * np.log10(1e-4 * share))


def test_sixteen_samples_are_the_fewest() -> None:
    with pytest.raises(ValueError, match="16 or more"):
        octave_bands(15)
