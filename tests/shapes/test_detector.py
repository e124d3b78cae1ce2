"""The detector of shapes: faults are found, and nothing is looked at that must not be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from seqflow.errors import UsageError
from seqflow.metrics import vus
from seqflow.shapes import ShapeDetector

QUICK = ShapeDetector(components=16, examples=1_500)
PERIOD, LENGTH, TRAIN = 50, 4_000, 1_500


def series(channels: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(LENGTH) / PERIOD
    beats = np.exp(-0.5 * ((t % 1.0 - 0.5) / 0.06) ** 2)
    return np.stack(
        [beats + 0.3 * np.sin(2 * np.pi * t + k) for k in range(channels)]
    ) + 0.04 * rng.standard_normal((channels, LENGTH))


def with_fault(kind: str) -> tuple[np.ndarray, np.ndarray]:
    x, labels = series(), np.zeros(LENGTH, bool)
    place = slice(2_600, 2_680)
    match kind:
        case "shape":  # the beat upside down
            x[0, place] = -x[0, place]
        case "spike":
            place = slice(2_630, 2_634)
            x[0, place] += 1.5
        case "level":
            place = slice(2_600, 2_900)
            x[0, place] += 1.2
        case "silence":
            x[0, place] = x[0, 2_600]
    labels[place] = True
    return x, labels


@pytest.mark.parametrize("kind", ["shape", "spike", "level", "silence"])
@pytest.mark.parametrize(("train", "whole"), [(TRAIN, False), (TRAIN, True), (None, True)])
def test_faults_are_found(kind: str, train: int | None, whole: bool) -> None:
    x, labels = with_fault(kind)
    found = QUICK(x, train, whole)
    assert {len(track) for track in found.tracks.values()} == {LENGTH}
    peak = int(found.tracks["fused"].argmax())
    assert labels[max(0, peak - PERIOD) : peak + PERIOD].any()
    assert vus(found.tracks["fused"], labels, PERIOD).pr > 0.5
    assert found.notes["periods"] == [PERIOD] and found.notes["windows"] == [64]
    assert found.fit_seconds > 0.0 and found.score_seconds > 0.0


def test_prefix_alone_is_looked_at_by_the_fit() -> None:
    x = series()
    other = x.copy()
    other[0, 3_000:] = 5.0
    a, b = (QUICK(one, TRAIN).tracks for one in (x, other))
    for name in a:
        # Windows of 128 samples and the smoothing reach across; what lies further before is the same.
        np.testing.assert_array_equal(a[name][: 3_000 - 200], b[name][: 3_000 - 200])
    whole = QUICK(other, TRAIN, True).tracks["fused"]
    assert not np.array_equal(whole[:2_800], QUICK(x, TRAIN, True).tracks["fused"][:2_800])


def test_scores_do_not_depend_on_the_units_of_the_data() -> None:
    x = with_fault("shape")[0]
    a, b = (QUICK(one, TRAIN).tracks["fused"] for one in (x, 1e-3 * x - 7.0))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(QUICK(1e-12 * x, TRAIN).tracks["fused"], a, rtol=1e-4, atol=1e-4)


def test_channels_add_up_and_flags_stand_apart() -> None:
    x = series(3)
    x[1, 2_600:2_680] *= -1.0
    flag = (np.arange(LENGTH) // 400 % 2).astype(float)
    flag[3_333:3_340] = 1.0 - flag[3_333:3_340]
    values = np.vstack([x, flag])
    found = QUICK(values, TRAIN)
    shares = QUICK.channel_scores(values, TRAIN)
    assert found.notes["flags"] == [3] and shares.shape == values.shape and not shares[3].any()
    np.testing.assert_allclose(shares.sum(0), found.tracks["fused"], rtol=1e-9)
    assert shares[:, 2_640].argmax() == 1 and 2_550 < found.tracks["fused"].argmax() < 2_750
    assert 3_250 < found.tracks["flags"].argmax() < 3_420


def test_only_flags_are_scored_as_they_are() -> None:
    flag = (np.arange(LENGTH) % PERIOD < 10).astype(float)
    flag[2_600:2_640] = 1.0
    found = QUICK(flag[None], TRAIN)
    assert "flags" not in found.tracks and 2_500 < found.tracks["fused"].argmax() < 2_750


def test_a_prefix_that_stands_still() -> None:
    x = np.zeros((1, LENGTH))
    x[0, 3_000:3_040] = 1.0
    found = QUICK(x, TRAIN).tracks["fused"]
    assert np.isfinite(found).all() and 2_900 < found.argmax() < 3_150
    constant = QUICK(np.full((1, LENGTH), 3.0), None, True).tracks["fused"]
    assert np.isfinite(constant).all() and np.ptp(constant) < 1e-6


def test_a_channel_that_stands_still_adds_nothing() -> None:
    flag = (np.arange(LENGTH) % PERIOD < 10).astype(float)
    flag[2_600:2_640] = 1.0
    alone = QUICK(flag[None], TRAIN, True).tracks["fused"]
    beside = QUICK(np.stack([flag, np.full(LENGTH, 0.1)]), TRAIN, True).tracks["fused"]
    np.testing.assert_allclose(beside, alone, rtol=1e-9)


def test_same_series_same_scores() -> None:
    x = with_fault("shape")[0]
    a, b = (QUICK(x, TRAIN, True).tracks for _ in range(2))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    other = dataclasses.replace(QUICK, seed=1)(x, TRAIN, True).tracks["fused"]
    assert not np.array_equal(a["fused"], other)


@pytest.mark.parametrize(
    ("values", "train", "text"),
    [
        (np.zeros((1, 20)), None, "20 of 20 samples"),
        (np.zeros((1, 100)), 20, "20 of 100 samples"),
        (np.zeros((1, 100)), 200, "200 of 100 samples"),
        (np.full((1, 100), np.nan), None, "not finite"),
    ],
)
def test_series_that_cannot_be_scored(values: np.ndarray, train: int | None, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        QUICK(values, train, train is None)
