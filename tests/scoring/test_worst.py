"""The worst interval, against its definition on the whole array."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring.worst import WorstInterval

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
