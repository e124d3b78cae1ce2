"""Intervals know that windows of a recording belong together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.jobs.density_interval import groups, interval
from seqflow.jobs.density_results import Row, compared


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 5000))
def test_blocks_of_time_are_even_and_in_order(windows: int, length: int, span: int) -> None:
    position = np.random.default_rng(windows).permutation(np.linspace(0, span, windows).astype(np.int64))
    found, what = groups(np.zeros(windows, np.int64), position, length)
    assert what == "blocks of time"
    sizes = np.bincount(found)
    assert sizes.min() >= 1 and sizes.max() - sizes.min() <= 1
    assert len(sizes) <= max(1, min(32, (np.ptp(position) + length) // length))
    assert (np.diff(found[np.argsort(position, kind="stable")]) >= 0).all()


def test_recordings_where_there_are_several() -> None:
    which = np.array([0, 0, 3, 3, 3])
    found, what = groups(which, np.arange(5), 10)
    assert what == "recordings" and (found == which).all()


def test_one_group_has_no_interval() -> None:
    assert interval(np.arange(5.0), np.zeros(5, np.int64)) is None


def test_it_covers_the_mean_of_all_recordings_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 5)
    covered = 0
    for _ in range(200):
        found = interval(rng.standard_normal(40)[group] + 0.1 * rng.standard_normal(200), group)
        assert found is not None
        covered += found[0] <= 0.0 <= found[1]
    assert 0.88 <= covered / 200 <= 0.99


def test_windows_that_are_alike_are_no_evidence() -> None:
    values = np.random.default_rng(1).standard_normal(20)
    once, often = interval(values, np.arange(20)), interval(np.repeat(values, 9), np.repeat(np.arange(20), 9))
    assert once == pytest.approx(often)


def test_a_difference_is_surer_than_what_it_is_between() -> None:
    rng = np.random.default_rng(2)
    level = 3.0 * rng.standard_normal(50)
    rows = [Row("a", "reference", None), Row("b", "reference", None), Row("c", "code length", 9.0)]
    rows.append(Row("d", "flow", None))
    values = {0: level + 1.0, 1: level + 5.0, 3: level + 0.1 * rng.standard_normal(50)}
    done, best = compared(rows, values, np.arange(50))
    assert best == "a"
    assert done[0].difference is None and done[2] == rows[2]
    assert done[1].difference == pytest.approx(4.0)
    assert done[1].difference_interval == pytest.approx((4.0, 4.0))
    flow = done[3]
    assert flow.interval is not None and flow.difference_interval is not None
    assert flow.difference == pytest.approx(-1.0, abs=0.1)
    low, high = flow.difference_interval
    assert low < -1.0 + 0.1 and high > -1.0 - 0.1 and high - low < 0.1
    assert flow.interval[1] - flow.interval[0] > 0.5
