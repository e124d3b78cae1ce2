"""The worst interval, against its definition on the whole array."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring import worst as module
from seqflow.scoring.worst import Interval, WorstInterval, worst_intervals

VALUES = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.4, 0.9, 1.0, 1.2, 2.0, 3.0, 9.0, np.nan]), max_size=40)


def by_definition(scores: np.ndarray, dip: int) -> tuple[int | None, int | None]:
    filled = np.where(np.isnan(scores), -np.inf, scores)
    if not len(filled) or filled.max() == -np.inf:
        return None, None
    top = int(filled.argmax())
    peak = filled[top]
    level = peak if peak <= 0 else 0.8 * peak if peak < 1.25 else 1.0 if peak < 2.0 else 0.5 * peak
    above = [int(t) for t in np.flatnonzero(filled >= level)]
    start = end = top
    for t in reversed([t for t in above if t < top]):
        if start - t > dip + 1:
            break
        start = t
    for t in [t for t in above if t > top]:
        if t - end > dip + 1:
            break
        end = t
    return start, end + 1


@given(VALUES, st.lists(st.integers(0, 40), max_size=5), st.integers(0, 4))
def test_however_the_scores_come(values: list[float], cuts: list[int], dip: int) -> None:
    scores = np.array(values)
    interval = WorstInterval(dip, reach=100)
    edges = sorted({0, len(scores), *(min(cut, len(scores)) for cut in cuts)})
    for begin, end in pairwise(edges):
        interval.add(begin, scores[begin:end])
    assert (interval.start, interval.end) == by_definition(scores, dip)


def test_it_reaches_back_no_further_than_told() -> None:
    scores = np.r_[np.ones(50), 1.5, np.ones(50), 0.0]
    interval = WorstInterval(0, reach=10)
    for start in range(0, len(scores), 7):
        interval.add(start, scores[start : start + 7])
    assert (interval.start, interval.end) == (40, 101)


def test_intervals_of_a_whole_track() -> None:
    scores = np.zeros(1000)
    scores[100:110] = [2, 4, 6, 8, 10, 8, 6, 4.9, 4.5, 2]
    scores[300:303] = [3, 7, 3]
    scores[500] = 2.0
    found = worst_intervals(scores, 5, dip=0)
    assert found == [
        Interval(102, 107, 104, 10.0),
        Interval(301, 302, 301, 7.0),
        Interval(500, 501, 500, 2.0),
    ]
    # The flank of the first, 4.9, was higher than the last one.
    assert worst_intervals(scores, 2, dip=0) == found[:2]
    assert worst_intervals(np.zeros(10), 5, dip=0) == [] == worst_intervals(np.full(4, np.nan), 5, dip=0)
    assert worst_intervals(np.zeros(0), 5, dip=0) == []
    # The first is that of the streaming rule.
    for dip in (0, 3, 200):
        worst = WorstInterval(dip, 10_000)
        worst.add(0, scores)
        assert worst_intervals(scores, 1, dip=dip)[0][:2] == (worst.start, worst.end)


def test_intervals_led_by_other_scores() -> None:
    scores = np.zeros(100)
    scores[10:20], scores[50:60], scores[80] = 9.0, 5.0, np.nan
    leading = scores.copy()
    leading[10:20] = np.nan
    assert worst_intervals(scores, 3, dip=0, leading=leading) == [Interval(50, 60, 50, 5.0)]
    # An interval reaches over samples that may not lead.
    leading = np.where(np.arange(100) == 12, 9.0, np.nan)
    assert worst_intervals(scores, 3, dip=0, leading=leading) == [Interval(10, 20, 12, 9.0)]
    # Two at one border: neither runs into the other.
    close = np.zeros(60)
    close[20], close[22] = 8.0, 7.0
    assert [one.peak for one in worst_intervals(close, 3, dip=0)] == [20, 22]
    assert [one[:2] for one in worst_intervals(close, 3, dip=1)] == [(20, 23)]


@pytest.mark.parametrize("dip", [0, 3, 40])
def test_a_track_in_a_file_read_in_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dip: int) -> None:
    scores = np.random.default_rng(0).standard_normal(3000).cumsum() / 10.0
    scores[::97] = np.nan
    expected = worst_intervals(scores, 6, dip=dip)
    assert expected
    scores.tofile(tmp_path / "track")
    for piece in (1, 7, 64):
        monkeypatch.setattr(module, "_PIECE", piece)
        assert worst_intervals(np.memmap(tmp_path / "track", np.float64, "r"), 6, dip=dip) == expected


def test_intervals_reach_back_no_further_than_told() -> None:
    scores = np.r_[np.ones(50), 1.5, np.ones(50), 0.0]
    assert worst_intervals(scores, 1, dip=0, reach=10)[0][:2] == (40, 101)
