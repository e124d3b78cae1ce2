"""Couplings are kept where windows that nothing was trained on are more likely with them, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from gusts import gusts

from seqflow.detector import FUSED
from seqflow.shape_flow import FlowDetector, select
from seqflow.shapes import ShapeDetector, WindowModel

SMALL = {"components": 8, "examples": 1_000, "fixed": (16,), "shortest": 24, "steps": 25}
PLAIN = {key: value for key, value in SMALL.items() if key != "steps"}


def fit(x: np.ndarray, length: int, floor: float) -> WindowModel:
    return WindowModel.fit(x, length, components=8, examples=1_000, floor=floor)


def white(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples)


def test_kept_where_they_help() -> None:
    verdict, couplings = select(gusts(4_000), 16, fit, seconds=60.0, steps=75)
    assert verdict.kept and couplings is not None and verdict.steps == 75
    assert verdict.gain > max(verdict.closed, 0.0) and verdict.gain_reported > 0.05
    assert verdict.plain()["outcome"] == "kept"


def test_not_kept_where_a_gaussian_is_the_truth() -> None:
    """White noise: the closed form is right, and what training adds is noise."""
    verdict, couplings = select(white(1_500), 16, fit, seconds=60.0, steps=25)
    assert not verdict.kept and couplings is None
    assert verdict.gain < 0.02
    again, always = select(white(1_500), 16, fit, seconds=60.0, steps=25, always=True)
    assert again.outcome == "no better" and always is not None


def test_windows_that_decide_and_report_train_nothing() -> None:
    x = gusts(3_000)
    other = x.copy()
    other[2_250:] = white(750)
    a, b = (select(one, 16, fit, seconds=60.0, steps=25)[0] for one in (x, other))
    assert a.steps == b.steps and a.gain != b.gain and a.gain_reported != b.gain_reported
    # What only reports decides nothing.
    other = x.copy()
    other[2_700:] = white(300)
    c, _ = select(other, 16, fit, seconds=60.0, steps=25)
    assert (c.gain, c.closed, c.outcome) == (a.gain, a.closed, a.outcome)
    assert c.gain_reported != a.gain_reported


def test_time_bounds_the_training() -> None:
    verdict, _ = select(gusts(2_000), 16, fit, seconds=1e-3)
    assert verdict.steps <= 25


def test_too_short_to_hold_back() -> None:
    verdict, couplings = select(gusts(150), 16, fit, seconds=5.0, always=True)
    assert verdict.outcome == "too short" and couplings is None and verdict.seconds == 0.0
    assert "gain" not in verdict.plain()


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return np.stack([gusts(3_000, seed=7)])


def test_detector_gives_all_three(noisy: np.ndarray) -> None:
    plain = ShapeDetector(**PLAIN)(noisy, 2_000)  # type: ignore[arg-type]
    found = FlowDetector(**SMALL, train=60.0, compare=True)(noisy, 2_000)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.tracks["never"], plain.tracks[FUSED])
    (verdicts,) = found.notes["couplings"]
    assert [one["length"] for one in verdicts] == [24, 16]
    assert {one["outcome"] for one in verdicts} <= {"kept", "no better"}
    kept = all(one["outcome"] == "kept" for one in verdicts)
    assert np.array_equal(found.tracks[FUSED], found.tracks["always"]) == kept
    assert found.kinds["never"] == found.kinds[FUSED] == "no likelihood"
    assert found.kinds["shape"].startswith("likelihood of the window without its level")


def test_what_is_not_known_to_be_normal_trains_nothing(noisy: np.ndarray) -> None:
    plain = ShapeDetector(**PLAIN)(noisy, None)  # type: ignore[arg-type]
    found = FlowDetector(**SMALL, train=60.0)(noisy, None)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.tracks[FUSED], plain.tracks[FUSED])
    assert "couplings" not in found.notes


def test_nothing_behind_the_prefix_is_looked_at_by_the_training(noisy: np.ndarray) -> None:
    other = noisy.copy()
    other[:, 2_500:] = 9.0
    notes = [
        FlowDetector(**SMALL, train=60.0)(one, 800).notes["couplings"]  # type: ignore[arg-type]
        for one in (noisy, other)
    ]
    assert notes[0] == notes[1]
