"""Judgements of all terms together and of each alone agree with the scores of the library."""

from __future__ import annotations

import numpy as np
import pytest
from small import WINDOW, noise, recording, small_flow

from seqflow.recipe import ScoreConfig
from seqflow.scoring import calibrate, judge_apart, score_recording

RATES = {"recording": 0.05, "block": 0.01}


@pytest.mark.parametrize("unit", ["recording", "block"])
def test_each_is_what_scoring_gives(unit: str) -> None:
    flow = small_flow()
    config = ScoreConfig(smoothing=(1, 8), alarm_rate=RATES[unit])
    calibration = calibrate(flow, [recording(noise(i)) for i in range(30)], config, window=WINDOW)
    assert calibration.unit == unit
    values = noise(100)
    values[:, 300:350] *= 2.0
    for x in (noise(101), values):
        found = judge_apart(flow, recording(x), config, calibration)
        whole = score_recording(flow, recording(x), config, calibration)
        assert found.joined is not None and found.verdict.status == whole.status == "ok"
        assert found.joined.score == whole.score and found.joined.p_value == whole.p_value
        assert list(found.alone) == list(calibration.terms)
        for name, one in found.alone.items():
            own = ScoreConfig(**{**config.model_dump(exclude_unset=True), "terms": (name,)})
            single = score_recording(flow, recording(x), own, calibration)
            assert (one.score, one.p_value) == (single.score, single.p_value), name
            assert float(one.terms[0]) == single.terms[name]
            assert whole.term_p_values[name] == one.p_value, name


def test_a_chosen_part_of_the_terms() -> None:
    flow = small_flow()
    every = ScoreConfig(smoothing=(1, 8))
    calibration = calibrate(flow, [recording(noise(i)) for i in range(30)], every, window=WINDOW)
    some = ScoreConfig(smoothing=(1, 8), terms=("latent", "nll"))
    found = judge_apart(flow, recording(noise(100)), some, calibration)
    assert list(found.alone) == ["latent", "nll"]


def test_a_state_in_place_of_a_score() -> None:
    flow = small_flow()
    config = ScoreConfig(smoothing=(1, 8))
    calibration = calibrate(flow, [recording(noise(i)) for i in range(30)], config, window=WINDOW)
    found = judge_apart(flow, recording(np.zeros((1, 640))), config, calibration)
    assert (found.verdict.status, found.joined, found.alone) == ("constant", None, {})
