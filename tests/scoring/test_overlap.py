"""Averages over covering windows: exact, in order, once for each sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring import overlap
from seqflow.scoring.overlap import OverlapAverage


@st.composite
def covers(draw: st.DrawFn) -> tuple[list[tuple[int, np.ndarray]], int, list[int]]:
    """Windows in order of their starts, a length, and after how many windows to drain."""
    starts = sorted(draw(st.lists(st.integers(0, 60), max_size=12)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    width = draw(st.integers(1, 20))
    windows = [(start, rng.standard_normal((2, width))) for start in starts]
    length = max([start + width for start in starts], default=0) + draw(st.integers(0, 10))
    return windows, length, draw(st.lists(st.integers(0, max(0, len(starts) - 1)), max_size=4))


@given(covers())
def test_each_sample_is_the_mean_of_the_windows_that_cover_it(case) -> None:  # noqa: ANN001
    windows, length, drains = case
    total, count = np.zeros((2, length)), np.zeros(length)
    average, pieces, at = OverlapAverage(2), [], 0
    for index, (start, values) in enumerate(windows):
        if index in drains:
            pieces += list(average.drain(start))
        average.add(start, values)
        total[:, start : start + values.shape[1]] += values
        count[start : start + values.shape[1]] += 1
    pieces += list(average.drain(length))
    for start, piece in pieces:
        assert start == at
        at += piece.shape[1]
    found = np.concatenate([piece for _, piece in pieces], axis=1) if pieces else np.empty((2, 0))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, total / count)


def test_a_long_gap_costs_no_memory_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_PIECE", 100)
    average = OverlapAverage(1)
    average.add(0, np.ones((1, 3)))
    pieces = list(average.drain(1050))
    assert [start for start, _ in pieces] == list(range(0, 1050, 100))
    assert max(piece.shape[1] for _, piece in pieces) == 100
    joined = np.concatenate([piece for _, piece in pieces], axis=1)[0]
    np.testing.assert_array_equal(joined, np.r_[np.ones(3), np.full(1047, np.nan)])


def test_windows_out_of_order_are_refused() -> None:
    average = OverlapAverage(1)
    average.add(5, np.ones((1, 4)))
    list(average.drain(7))
    with pytest.raises(ValueError, match="sample 6 has been drained"):
        average.add(6, np.ones((1, 4)))
