"""Units of a calibration: as many as the alarm rate needs, and no sample in two of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring.fuse import attainable_rate
from seqflow.scoring.units import expected


@given(
    lengths=st.lists(st.integers(16, 900), min_size=1, max_size=12),
    window=st.integers(2, 16),
    hop=st.integers(1, 16),
    rate=st.sampled_from([0.2, 0.05, 0.01]),
)
def test_blocks_share_no_sample_and_are_as_many_as_fit(
    lengths: list[int], window: int, hop: int, rate: float
) -> None:
    hop = min(hop, window)
    units = expected(lengths, window, hop, rate)
    if units.kind == "recording":
        assert len(units.places) == len(lengths) and attainable_rate(len(lengths)) <= rate * (1 + 1e-9)
        return
    starts = [[*range(0, n - window, hop), n - window] for n in lengths]
    ends = dict.fromkeys(range(len(lengths)), 0)
    for index, begin, end in units.places:
        assert end - begin == units.per_unit
        assert starts[index][begin] >= ends[index]
        ends[index] = starts[index][end - 1] + window
    enough = attainable_rate(len(units.places)) <= rate * (1 + 1e-9)
    # Too few only where single windows are too few.
    assert enough or units.per_unit == 1


def test_recordings_shorter_than_a_window_do_not_count() -> None:
    assert len(expected([10, 16, 15], 16, 4, 0.05).places) == 1


def test_many_short_recordings_make_blocks_too() -> None:
    """1,000 of 3 windows: a block of 40, as long as one in 100, would fit into none but the longest."""
    lengths = [*([64] * 1000), 2000]
    units = expected(lengths, 32, 16, 0.05, "block")
    assert units.per_unit <= 3 and len(units.places) >= 100
    assert {index for index, _, _ in units.places} == set(range(1001))
