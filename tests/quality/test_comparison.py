"""All distances at once: none between equal sets, and each answers to what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from seqflow.quality.comparison import MEASURES, Ruler, compare, describe


def ruler(rate: float | None = 8000.0, *, sound: bool = True) -> Ruler:
    return Ruler.make(
        512, rate, sound=sound, noise=np.array([1e-10]), low=np.array([-1.0]), high=np.array([1.0])
    )


def test_equal_sets_have_no_distance_and_every_key(rng: np.random.Generator) -> None:
    for one in (ruler(), ruler(None, sound=False), ruler(10.0, sound=False)):
        found = describe(0.1 * rng.standard_normal((30, 1, 512)), one)
        distances = compare(found, found, one)
        assert list(distances) == list(MEASURES)
        assert max(distances.values()) < 1e-6


def test_each_distance_answers_to_what_it_is_for(rng: np.random.Generator) -> None:
    rule = ruler()
    real = describe(0.1 * rng.standard_normal((200, 1, 512)), rule)
    again = compare(describe(0.1 * rng.standard_normal((200, 1, 512)), rule), real, rule)
    assert again["band_level"] < 1.0 and again["loudness"] < 2.0 and again["modulation"] < 1.0

    louder = compare(describe(2.0 * real.x, rule), real, rule)
    assert louder["band_level"] == pytest.approx(6.02, abs=0.01)
    assert louder["spectrum"] == pytest.approx(6.02, abs=0.01)
    assert louder["loudness"] == pytest.approx(100.0)
    assert louder["kurtosis"] == pytest.approx(0.0, abs=1e-9)
    assert louder["modulation"] < 1e-3

    coloured = lfilter([1.0], [1.0, -0.9], rng.standard_normal((200, 1, 1024)))[..., 512:]
    coloured *= 0.1 * real.rms.mean() / 0.1 / coloured.std()
    found = compare(describe(coloured, rule), real, rule)
    assert found["band_level"] > 8.0 and found["frechet_spectrum"] > 20 * again["frechet_spectrum"]

    peaked = compare(describe(rng.laplace(scale=0.1 / np.sqrt(2), size=(200, 1, 512)), rule), real, rule)
    assert peaked["kurtosis"] == pytest.approx(3.0, abs=0.4) and peaked["band_level"] < 1.0
    assert peaked["beyond"] == 0.0
    real.x[:50, 0, 7] = -1.01
    assert compare(real, real, rule)["beyond"] == 25.0


def test_edges_without_a_clock_are_cycles_a_sample() -> None:
    assert ruler(None, sound=False).edges[-1].tolist() == [0.25, 0.5]
