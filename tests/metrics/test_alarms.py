"""Events found, delays and false alarms: by hand, by exhaustion, and what must hold at every threshold."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.metrics import count_alarms, detect, detect_at_rate, match_alarms, runs


def test_runs_are_half_open_pairs() -> None:
    assert runs([1, 1, 0, 0, 1, 0, 1]).tolist() == [[0, 2], [4, 5], [6, 7]]
    assert runs([0, 0]).shape == (0, 2)
    assert runs([True]).tolist() == [[0, 1]]


def test_by_hand() -> None:
    #         0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
    scores = [0, 5, 0, 5, 0, 0, 1, 5, 0, 0, 5, 0, 2, 0, 0, 0]
    labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 0, 0]
    found = detect(scores, labels, 5, rate=2.0, hold=1.5)
    assert found.delays.tolist()[0] == 0.5
    assert math.isnan(found.delays[1])
    assert (found.recall, found.false_alarms) == (0.5, 2)  # points 1 and 3 are within 1.5 s; 10 is another
    assert found.hours == pytest.approx(11 / 2 / 3600)
    assert found.rate == pytest.approx(2 / (11 / 2 / 3600))
    assert detect(scores, labels, 5, rate=2.0, hold=0.0).false_alarms == 3
    # Point 10 lies within one second before the second event.
    early = detect(scores, labels, 5, rate=2.0, hold=1.5, slack=1.0)
    assert early.delays.tolist() == [0.5, -1.0]
    assert early.false_alarms == 1
    assert early.widths.tolist() == [3.5, 3.0]


def test_the_alarm_that_never_ends_is_no_single_alarm() -> None:
    labels = np.zeros(1000, dtype=int)
    labels[500:510] = 1
    always = detect(np.ones(1000), labels, 0.5, rate=1.0, hold=10.0)
    assert (always.recall, always.false_alarms) == (1.0, 99)
    assert 0.0 < always.chance < 1.0
    never = detect(np.ones(1000), labels, math.inf, rate=1.0, hold=10.0)
    assert (never.recall, never.false_alarms, never.rate, never.chance) == (0.0, 0, 0.0, 0.0)


def test_chance_is_the_recall_of_alarms_at_random() -> None:
    labels = np.zeros(200_000, dtype=int)
    for start in range(1000, 200_000, 2000):
        labels[start : start + 300] = 1
    scores = np.random.default_rng(0).random(200_000)
    found = detect(scores, labels, 1 - 2e-3, rate=1.0, hold=0.0)
    assert found.chance == pytest.approx(1 - math.exp(-300 * 2e-3), abs=0.03)
    assert found.recall == pytest.approx(found.chance, abs=0.15)


@given(st.sets(st.integers(0, 14), max_size=9), st.integers(1, 6))
@settings(deadline=None)
def test_no_fewer_stretches_cover_the_alarms(points: set[int], hold: int) -> None:
    covers = (
        count
        for count in range(len(points) + 1)
        for starts in combinations(range(-hold, 15), count)
        if all(any(s <= p < s + hold for s in starts) for p in points)
    )
    assert count_alarms(np.array(sorted(points), dtype=np.int64), hold) == next(covers)


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 400.0), st.integers(0, 6), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_threshold_is_the_lowest_of_its_rate(seed: int, per_hour: float, hold: int, slack: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random(20) < 0.2, 4)
    labels[40:44], labels[44:60] = True, False
    scores = np.round(rng.normal(size=80) + labels, 1)
    times = {"rate": 0.5, "hold": 2.0 * hold, "slack": 2.0 * slack}
    levels = [*np.unique(scores).tolist(), math.inf]
    every = [detect(scores, labels, level, **times) for level in levels]
    counts = [found.false_alarms for found in every]
    assert counts == sorted(counts, reverse=True)
    recalls = [found.recall for found in every]
    assert recalls == sorted(recalls, reverse=True)
    allowed = [found for found in every if found.rate <= per_hour * (1 + 1e-9)]
    best = detect_at_rate(scores, labels, per_hour, **times)
    assert best.threshold == allowed[0].threshold
    assert best.recall == allowed[0].recall
    # Only the order of the scores matters.
    cubed = detect_at_rate(scores**3, labels, per_hour, **times)
    assert np.array_equal(cubed.delays, best.delays, equal_nan=True)


def test_constant_scores_and_no_events() -> None:
    labels = [0, 1, 0, 0]
    assert detect_at_rate(np.ones(4), labels, 0.0, rate=1.0, hold=1.0).threshold == math.inf
    assert detect_at_rate(np.ones(4), labels, 1e308, rate=1.0, hold=1.0).recall == 1.0
    quiet = detect([1, 2, 3, 2], np.zeros(4), 2, rate=1.0, hold=1.0)
    assert quiet.false_alarms == 3
    assert math.isnan(quiet.recall)
    assert math.isnan(quiet.chance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 0, 0]}, "labels: no anomalous point"),
        ({"labels": [1, 1, 1]}, "labels: no point outside events"),
        ({"slack": 5.0}, "labels: no point outside events"),
        ({"scores": [1, np.inf, 2]}, "1 of 3 are not finite"),
        ({"scores": [1, 2]}, "equally long"),
        ({"rate": 0.0}, "rate: must be positive"),
        ({"hold": -1.0}, "hold: must be 0 seconds or more"),
        ({"slack": math.nan}, "slack: must be 0 seconds or more"),
        ({"per_hour": -1.0}, "per_hour: must be 0 or more"),
    ],
)
def test_what_cannot_be_judged(change: dict[str, Any], message: str) -> None:
    given = {"scores": [1, 2, 3], "labels": [0, 1, 0], "per_hour": 1.0, "rate": 1.0, "hold": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        detect_at_rate(**given)


def test_a_threshold_is_a_number() -> None:
    with pytest.raises(ValueError, match="threshold: must be a number"):
        detect([1, 2], [0, 1], math.nan, rate=1.0, hold=1.0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_alarms_that_are_given_match_events(seed: int, slack: int) -> None:
    """Against sets of points."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random(20) < 0.2, 3)
    cuts = np.sort(rng.choice(60, size=2 * rng.integers(0, 6), replace=False)).reshape(-1, 2)
    alarms = [set(range(a, b)) for a, b in cuts]
    zones = [set(range(max(0, a - slack), min(60, b + slack))) for a, b in runs(labels)]
    normal = set(range(60)).difference(*zones)
    if not normal:
        return
    found = match_alarms(cuts, labels, rate=2.0, slack=slack / 2)
    assert found.false_alarms == sum(all(not alarm & zone for zone in zones) for alarm in alarms)
    assert found.hours == pytest.approx(len(normal) / 2 / 3600)
    for delay, zone, (start, _) in zip(found.delays, zones, runs(labels), strict=True):
        inside = [point for alarm in alarms for point in alarm & zone]
        assert delay == (min(inside) - start) / 2 if inside else math.isnan(delay)
    for bad in ([[3, 3]], [[-1, 2]], [[50, 61]]):
        with pytest.raises(ValueError, match="ranges of points below 60"):
            match_alarms(bad, labels, rate=2.0)
