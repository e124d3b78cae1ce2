"""The spectrum of envelopes."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.quality.modulation import modulation_bands, modulation_distance, modulation_levels
from seqflow.quality.octaves import octave_bands

NONE = np.array([1e-30])


def test_a_modulated_tone_has_its_depth_at_its_rate() -> None:
    length, depth = 2048, 0.4
    time = np.arange(length) / length
    x = (1.0 + depth * np.cos(2 * np.pi * 24 * time)) * np.sin(2 * np.pi * 700 * time)
    bands = octave_bands(length)
    levels = modulation_levels(x[None, None], bands, NONE)[0, -1]
    octaves = modulation_bands(bands, length)
    (there,) = np.flatnonzero((octaves[:, 0] <= 24) & (octaves[:, 1] > 24))
    assert levels[there] == pytest.approx(10 * np.log10(depth**2 / 2), abs=0.05)
    assert np.delete(levels, there).max() < levels[there] - 20.0


def test_an_even_tone_and_silence_are_not_modulated() -> None:
    length = 1024
    bands = octave_bands(length)
    tone = np.sin(2 * np.pi * 300 * np.arange(length) / length)
    for x in (tone, np.zeros(length)):
        levels = modulation_levels(x[None, None], bands, np.array([1e-8]))
        assert np.nanmax(levels[0, -1]) < -55.0
    assert np.nanmax(modulation_levels(np.zeros((1, 1, length)), bands, NONE)) == pytest.approx(-60.0)


def test_gain_changes_nothing_and_bursts_do(rng: np.random.Generator) -> None:
    bands = octave_bands(512)
    x = rng.standard_normal((40, 2, 512))
    noise = np.array([1e-30, 1e-30])
    levels = modulation_levels(x, bands, noise)
    assert modulation_distance(modulation_levels(5.0 * x, bands, noise), levels) == pytest.approx(
        0.0, abs=1e-9
    )
    assert modulation_distance(levels, levels) == 0.0
    bursts = x * (1.0 + 0.95 * np.sin(2 * np.pi * 6 * np.arange(512) / 512))
    other = modulation_levels(bursts, bands, noise)
    assert modulation_distance(other, levels) > 2.0
    # Narrow bands have no fast modulation.
    assert np.isnan(levels[0, 0, -1]) and np.isfinite(levels[0, -1]).all()
