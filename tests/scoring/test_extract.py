"""What one pass leaves of a recording is enough: judging it is scoring the recording."""

from __future__ import annotations

import numpy as np
import pytest
from small import TERMS, WINDOW, noise, recording, small_flow

from seqflow.errors import UsageError
from seqflow.recipe import ScoreConfig
from seqflow.scoring import (
    Calibration,
    calibrate,
    calibrate_extracts,
    extract,
    judge_extract,
    score_recording,
)

CONFIG = ScoreConfig(terms=TERMS, smoothing=(1, 8), alarm_rate=0.1)


@pytest.mark.parametrize(("count", "length", "unit"), [(12, 640, "recording"), (2, 3000, "block")])
def test_judging_an_extract_is_scoring_its_recording(count: int, length: int, unit: str) -> None:
    flow = small_flow()
    extracts = [extract(flow, recording(noise(i, length)), CONFIG, window=WINDOW) for i in range(count)]
    calibration = calibrate_extracts(extracts, CONFIG, window=WINDOW)
    assert calibration.unit == unit
    for seed, gain in ((100, 1.0), (101, 1.5), (102, 4.0)):
        new = recording(gain * noise(seed, length))
        wanted = score_recording(flow, new, CONFIG, calibration)
        found = judge_extract(extract(flow, new, CONFIG, window=WINDOW), calibration)
        assert found.p_value == wanted.p_value
        assert found.score == pytest.approx(wanted.score, rel=1e-6)
        assert dict(zip(TERMS, found.terms, strict=True)) == pytest.approx(wanted.terms, rel=1e-6)


def test_calibrating_in_two_steps_is_calibrating() -> None:
    flow, recordings = small_flow(), [recording(noise(i)) for i in range(12)]
    whole = calibrate(flow, recordings, CONFIG, window=WINDOW)
    extracts = [extract(flow, one, CONFIG, window=WINDOW) for one in recordings]
    steps = calibrate_extracts(extracts, CONFIG, window=WINDOW)
    for name, wanted in whole.to_arrays().items():
        np.testing.assert_array_equal(steps.to_arrays()[name], wanted)
    assert isinstance(steps, Calibration)


def test_a_part_has_the_windows_of_that_part() -> None:
    whole = extract(small_flow(), recording(noise(1)), CONFIG, window=WINDOW)
    part = whole.part(3, 7)
    np.testing.assert_array_equal(part.starts, whole.starts[3:7])
    assert part.features.keys() == whole.features.keys() == {*TERMS}
    np.testing.assert_array_equal(part.features["latent"], whole.features["latent"][3:7])


def test_a_recording_without_a_score_leaves_nothing_but_its_state() -> None:
    found = extract(small_flow(), recording(np.ones((1, 640)), "stuck"), CONFIG, window=WINDOW)
    assert (found.name, found.status, found.scored, dict(found.features)) == ("stuck", "constant", False, {})
    with pytest.raises(UsageError, match=r"stuck \(constant\)"):
        calibrate_extracts([found], CONFIG, window=WINDOW)
