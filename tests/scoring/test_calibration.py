"""Calibration on held-out recordings: units, cross-fitting, storage and damage."""

from __future__ import annotations

import numpy as np
import pytest
from small import TERMS, WINDOW, Array, noise, recording, small_flow

from seqflow.errors import CheckpointError, UsageError
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, calibrate
from seqflow.scoring.calibration import Features, fit_calibration

CONFIG = ScoreConfig(terms=TERMS, smoothing=(1, 8))


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate(small_flow(), [recording(noise(i)) for i in range(20)], CONFIG, window=WINDOW)


def features(rng: np.random.Generator, n: int) -> list[Features]:
    """Raw features of the terms nll and typicality of n units of 5 windows."""
    return [{"nll": (x := rng.standard_normal((5, 1))), "typicality": x} for _ in range(n)]


def test_recordings_are_the_units_where_there_are_enough(calibration: Calibration) -> None:
    assert (calibration.unit, calibration.per_unit, len(calibration)) == ("recording", 0, 20)
    assert (calibration.window, calibration.hop) == (WINDOW, WINDOW // 2)
    assert calibration.attainable_rate == pytest.approx(1 / 21)
    assert calibration.units.shape == (20, len(TERMS))
    nll, typicality = (calibration.units[:, TERMS.index(name)] for name in ("nll", "typicality"))
    # From statistics of the other folds, hence not exactly the deviation from the mean of all.
    np.testing.assert_allclose(typicality, np.abs(nll - nll.mean()), atol=0.05)


def test_blocks_are_the_units_where_there_are_too_few_recordings() -> None:
    few = [recording(noise(i, 1600)) for i in range(3)]
    found = calibrate(small_flow(), few, CONFIG, window=WINDOW)
    # 99 windows in each recording: 100 blocks of one window, every second of them, share no sample.
    assert (found.unit, found.per_unit, len(found)) == ("block", 1, 150)
    longer = calibrate(small_flow(), [recording(noise(1, 20_000))], CONFIG, window=WINDOW)
    assert longer.unit == "block" and longer.per_unit > 5 and 90 <= len(longer) <= 110
    whole = calibrate(small_flow(), few, CONFIG, window=WINDOW, unit="recording")
    assert (whole.unit, len(whole)) == ("recording", 3)


def test_rarer_alarms_want_more_blocks() -> None:
    one = [recording(noise(1, 20_000))]
    rare = calibrate(small_flow(), one, ScoreConfig(alarm_rate=0.005), window=WINDOW)
    assert 350 <= len(rare) <= 450


def test_recordings_without_a_score_are_left_out() -> None:
    flow, good = small_flow(), [recording(noise(i)) for i in range(2)]
    bad = [
        recording(np.zeros(640), "quiet", kind="audio"),
        recording(np.ones(640), "stuck"),
        recording(noise(3, WINDOW - 1), "stub"),
    ]
    mixed = calibrate(flow, [*bad, *good], CONFIG, window=WINDOW, unit="recording")
    alone = calibrate(flow, good, CONFIG, window=WINDOW, unit="recording")
    np.testing.assert_array_equal(mixed.units, alone.units)
    with pytest.raises(
        UsageError, match=r"left out: quiet \(silent\), stuck \(constant\), stub \(too_short\)"
    ):
        calibrate(flow, bad, CONFIG, window=WINDOW)


def test_missing_samples_shape_nothing() -> None:
    values = noise(1, 3200)
    values[0, 1000:1200] = np.nan
    found = calibrate(small_flow(), [recording(values)], CONFIG, window=WINDOW)
    assert np.isfinite(found.units).all()


def test_a_unit_is_judged_by_statistics_of_the_others() -> None:
    units = features(np.random.default_rng(0), 4)
    found = fit_calibration(units, terms=["typicality"], window=8, hop=4, smoothing=(1,))
    means = np.array([unit["nll"].mean() for unit in units])
    for index in range(4):
        expected = abs(means[index] - np.delete(means, index).mean())
        assert found.units[index, 0] == pytest.approx(expected)
    assert found.statistics["typicality"]["mean"] == pytest.approx(means.mean())


def test_selected_terms(calibration: Calibration) -> None:
    few = calibration.select(("energy", "nll"))
    assert few.terms == ("energy", "nll") == tuple(few.statistics)
    np.testing.assert_array_equal(few.units[:, 1], calibration.units[:, TERMS.index("nll")])
    np.testing.assert_array_equal(few.heights[:, 1], calibration.heights[:, TERMS.index("nll")])
    with pytest.raises(UsageError, match=r"latent was not calibrated \(but energy, nll\)"):
        few.select(("latent",))


def test_storage_brings_everything_back(calibration: Calibration) -> None:
    block = calibrate(small_flow(), [recording(noise(1, 6400))], ScoreConfig(), window=WINDOW)
    for original in (calibration, block):
        arrays = original.to_arrays()
        assert all(isinstance(value, np.ndarray) and value.dtype.kind in "if" for value in arrays.values())
        back = Calibration.from_arrays(arrays)
        for name in ("terms", "window", "hop", "smoothing", "unit", "per_unit"):
            assert getattr(back, name) == getattr(original, name)
        np.testing.assert_array_equal(back.units, original.units)
        np.testing.assert_array_equal(back.heights, original.heights)
        for term, learnt in original.statistics.items():
            assert set(back.statistics[term]) == set(learnt)
            for key, value in learnt.items():
                np.testing.assert_array_equal(back.statistics[term][key], value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("numbers", np.array([1, 32, 16, 0, 0])),
        ("numbers", np.array([2, 32, 16])),
        ("numbers", np.array([2, 32, 64, 0, 0])),
        ("numbers", np.array([2, 32, 16, 0, -1])),
        ("numbers", np.array([2, 32, 16, 3, 0])),
        ("terms", np.array([0, -1])),
        ("terms", np.array([0, 99])),
        ("smoothing", np.array([0])),
        ("smoothing", np.array([], dtype=int)),
        ("units", np.zeros((5, 2))),
        ("units", np.zeros((0, 6))),
        ("units", np.full((20, 6), np.nan)),
        ("units", None),
        ("heights", None),
        ("heights", np.zeros((2, 5))),
        ("heights", np.full((2, 6), np.inf)),
        ("statistics.latent.precision", None),
        ("statistics.band.scale", np.array([np.inf])),
    ],
)
def test_damage_is_noticed(calibration: Calibration, key: str, value: Array | None) -> None:
    arrays = calibration.to_arrays()
    del arrays[key]
    if value is not None:
        arrays[key] = value
    with pytest.raises(CheckpointError, match=r"^calibration: "):
        Calibration.from_arrays(arrays)
