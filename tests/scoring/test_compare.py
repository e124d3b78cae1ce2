"""Recordings compared with those of their own class alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from small import WINDOW, noise, recording, small_flow

from seqflow.errors import CheckpointError, UsageError
from seqflow.flow import Flow
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, LiveScorer, calibrate, score_recording
from seqflow.scoring.calibration import fit_calibration
from seqflow.scoring.compare import TOO_SMALL, Comparisons
from seqflow.scoring.judge import promised

NAMES = ("loud", "quiet")
TERMS = ("nll",)


def machines(rng: np.random.Generator, n: int, loudness: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Values (n, 1) of units, and which machine each is of, in turn."""
    which = np.arange(n) % len(loudness)
    return (np.array(loudness)[which] * np.abs(rng.standard_normal(n)))[:, None], which


def calibration(values: np.ndarray, which: np.ndarray) -> Calibration:
    declared = [{"load": "x", "machine": NAMES[index]} for index in which]
    features = [{"nll": row[None]} for row in values]
    return fit_calibration(features, terms=TERMS, window=8, hop=4, smoothing=(1,), declared=declared)


def test_the_promise_holds_in_every_class_and_on_average_only_without() -> None:
    rng = np.random.default_rng(0)
    rate, marginal, mondrian = 0.1, np.zeros(2), np.zeros(2)
    trials, judged = 60, 40
    for _ in range(trials):
        own = calibration(*machines(rng, 80, (2.0, 1.0)))
        for by, counts in ((None, marginal), ("machine", mondrian)):
            found = Comparisons(ScoreConfig(by=by, alarm_rate=rate, terms=TERMS), own, None)
            for value, machine in zip(*machines(rng, judged, (2.0, 1.0)), strict=True):
                name = NAMES[machine]
                compared = found.of({"machine": name})
                counts[machine] += promised(compared.calibration.judge(value).p_value, rate)
    marginal /= trials * judged / 2
    mondrian /= trials * judged / 2
    assert marginal[0] > 1.5 * rate and marginal[1] < 0.5 * rate
    assert (mondrian < 1.25 * rate).all() and (mondrian > 0.7 * rate).all()


def test_units_of_the_class_alone() -> None:
    values, which = machines(np.random.default_rng(0), 90, (2.0, 1.0))
    own = calibration(values, which)
    found = Comparisons(ScoreConfig(by="machine", alarm_rate=0.05, terms=TERMS), own, None)
    assert found.sizes == {"loud": 45, "quiet": 45} and found.too_small() == []
    quiet = found.of({"machine": "quiet"})
    np.testing.assert_array_equal(quiet.calibration.units, own.units[which == 1])
    assert found.of({"machine": "quiet"}).calibration is quiet.calibration  # made once
    for conditions in ({}, {"machine": "new"}):
        other = found.of(conditions)
        assert len(other.calibration) == 90 and other.alarms
        assert "machine is not known: compared with normal ones of all" in other.note


def test_a_class_too_small_for_the_rate_is_named() -> None:
    rng = np.random.default_rng(0)
    values, which = rng.standard_normal((30, 1)), np.r_[np.zeros(24, int), np.ones(6, int)]
    own = calibration(values, which)
    config = ScoreConfig(by="machine", alarm_rate=0.05, terms=TERMS)
    found = Comparisons(config, own, None)
    assert found.of({"machine": "loud"}).alarms
    (line,) = found.too_small()
    assert line == (
        "machine quiet: 6 calibration recordings cannot promise an alarm rate of 0.05, from 0.143 on they "
        "could; no alarm is given"
    )
    assert found.of({"machine": "quiet"}).note == line
    with pytest.raises(UsageError, match=r"rate 0\.04 with 24 calibration recordings of one machine"):
        Comparisons(config.model_copy(update={"alarm_rate": 0.01}), own, None)
    with pytest.raises(UsageError, match=r"no calibration recording has a maker \(it knows load, machine\)"):
        Comparisons(config.model_copy(update={"by": "maker"}), own, None)
    with pytest.raises(UsageError, match="nothing is declared about them"):
        Comparisons(config, replace(own, declared={}), None)


def test_what_is_declared_is_stored() -> None:
    own = calibration(*machines(np.random.default_rng(0), 6, (2.0, 1.0)))
    own = replace(own, declared={**own.declared, "maker": ("", 'ü\n"', "b", "", "", "")})
    arrays = own.to_arrays()
    assert arrays["declared"].dtype.kind == "i"
    assert Calibration.from_arrays(arrays).declared == own.declared
    for text in ('{"a": ["x"]}', '{"a": [1, 2, 3, 4, 5, 6]}', "[" * 100_000, "nothing", '["a"]'):
        damaged = {**arrays, "declared": np.frombuffer(text.encode(), np.int8)}
        with pytest.raises(CheckpointError):
            Calibration.from_arrays(damaged)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return small_flow()


def made(seed: int, machine: str, length: int = 640) -> object:
    gain = {"a": 1.0, "b": 3.0, "c": 1.0}[machine]
    return recording(gain * noise(seed, length), f"{machine}{seed}", conditions={"machine": machine})


def test_recordings_are_scored_by_class(flow: Flow) -> None:
    config = ScoreConfig(smoothing=(1, 8), by="machine", alarm_rate=0.05)
    held = [made(i, "a" if i % 2 else "b") for i in range(44)] + [made(90, "c"), made(91, "c")]
    own = calibrate(flow, held, config, window=WINDOW, unit="recording")
    assert len(own.declared["machine"]) == len(own) == 46
    plain = config.model_copy(update={"by": None})
    for machine, gain in (("a", 1.0), ("b", 3.0)):
        new = recording(gain * noise(700), "new", conditions={"machine": machine})
        found = score_recording(flow, new, config, own)
        assert (found.status, found.alarm) == ("ok", False), found
        assert found.p_value is not None and round(found.p_value * 23 * 22) + 22 > 22
    # As loud as b: among all nothing special, for a out of the question.
    odd = recording(3.0 * noise(701), "odd", conditions={"machine": "a"})
    assert score_recording(flow, odd, config, own).alarm
    assert not score_recording(flow, odd, plain, own).alarm
    few = score_recording(flow, made(702, "c"), config, own)
    assert (few.status, few.alarm) == (TOO_SMALL, None) and few.p_value is not None
    assert "machine c: 2 calibration recordings cannot promise" in few.detail
    other = score_recording(flow, recording(noise(703), "x"), config, own)
    assert other.alarm is not None and "compared with normal ones of all" in other.detail


def test_recordings_are_units_where_each_class_has_enough(flow: Flow) -> None:
    config = ScoreConfig(smoothing=(1, 8), by="machine", alarm_rate=0.1)
    enough = [made(i, "a" if i % 2 else "b") for i in range(18)]
    assert calibrate(flow, enough, config, window=WINDOW).unit == "recording"
    assert calibrate(flow, enough[:-1], config, window=WINDOW).unit == "block"
    assert calibrate(
        flow, enough, config.model_copy(update={"alarms_per_hour": 1.0}), window=WINDOW
    ).unit == ("block")


def test_a_stream_is_compared_with_its_class(flow: Flow) -> None:
    config = ScoreConfig(smoothing=(1, 8), by="machine", alarm_rate=0.05)
    long = [made(i, machine, 4000) for i, machine in enumerate("ab")]
    own = calibrate(flow, long, config, window=WINDOW, unit="block")
    alarms = {}
    for machine in ("a", "b"):
        live = LiveScorer(flow, config, own, conditions={"machine": machine})
        assert live.calibration is not None and len(live.calibration) < len(own)
        found = live.feed(3.0 * noise(800, 1600)).windows
        alarms[machine] = np.mean([bool(one.alarm) for one in found])
    assert alarms["a"] > 0.3 > 0.15 > alarms["b"]
    assert not live.note and "compared with normal ones of all" in LiveScorer(flow, config, own).note
