"""Rows put in the order of their times by merging sorted runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data import spool
from seqflow.data.spool import Spool
from seqflow.data.time_order import in_time_order


@settings(deadline=None)
@given(
    times=st.lists(st.integers(0, 12), max_size=60),
    most=st.sampled_from([0, 64, 96, 320, 1 << 20]),
    ahead=st.integers(1, 5),
)
def test_merging_is_a_stable_sort(times: list[int], most: int, ahead: int) -> None:
    path = Path("table.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "LARGE", most)
        patch.setattr(spool, "ROWS", ahead)
        seconds = Spool(path, np.float64)
        seconds.append(np.array(times, np.float64))
        found, rows = in_time_order(path, seconds)
        order = np.argsort(times, kind="stable")
        np.testing.assert_array_equal(rows.read(0, 99), order)
        np.testing.assert_array_equal(found.read(0, 99), np.array(times, np.float64)[order])
