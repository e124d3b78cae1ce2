"""The place of what is unusual: where whole windows and single steps point to."""

from __future__ import annotations

import numpy as np
import pytest
from small import WINDOW, noise, recording, small_flow

from seqflow.recipe import ScoreConfig
from seqflow.scoring import calibrate, score_recording
from seqflow.scoring.place import Place, heights
from seqflow.scoring.terms import make_terms


def test_heights_are_0_for_usual_windows_and_1_for_high_ones() -> None:
    values = np.stack([np.arange(101.0), np.full(101, 3.0), -np.arange(101.0)], axis=1)
    level, inverse = heights(values)
    np.testing.assert_allclose(level, [50, 3, -50])
    np.testing.assert_allclose(inverse, [1 / 40, 0, 1 / 40])


def place(*names: str) -> Place:
    return Place(make_terms(names, (1,)), np.array([[1.0] * len(names), [0.5] * len(names)]))


def test_windows_and_steps_multiply() -> None:
    values = np.array([[9.0, 3.0, 9.0, 1.0 + 2.0 * np.e], [0.0, 1.0, 0.0, 1.0]])
    local = np.array([[0.0, 1.0, 4.0], [0.3, 1.0, 4.0]])
    found = place("nll", "latent", "local", "typicality").steps(values, local, 3)
    # Heights 1 and e, the latter softened to 2; in the second window 0 and 0.
    np.testing.assert_allclose(found, np.outer([1.5, 0.5], np.sqrt([0.3, 1.0, 4.0])))


def test_what_is_left_where_terms_are_few() -> None:
    local = np.array([[0.0, 5.0]])
    values = np.array([[3.0, 3.0]])
    np.testing.assert_array_equal(place("nll", "local").steps(values, local, 2), local)
    np.testing.assert_array_equal(place("nll", "latent").steps(values, None, 2), [[1.0, 1.0]])
    np.testing.assert_array_equal(place("nll").steps(values[:, :1], None, 2), [[1.0, 1.0]])


@pytest.mark.parametrize("fault", ["still", "click"])
def test_silence_and_clicks_are_placed(fault: str) -> None:
    """The one has no unlikely step, the other moves hardly any statistic of its window."""
    flow, config = small_flow(), ScoreConfig(smoothing=(1, 8))
    fitted = calibrate(flow, [recording(noise(i, 1600)) for i in range(20)], config, window=WINDOW)
    values = noise(99, 1600)
    if fault == "still":
        values[:, 700:800] = values[:, 700:701]
    else:
        values[:, 750] += 12.0
    found = score_recording(flow, recording(values), config, fitted)
    assert found.worst_start is not None and found.worst_end is not None
    assert 700 - WINDOW <= found.worst_start < found.worst_end <= 800 + WINDOW
