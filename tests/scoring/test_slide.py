"""Windows over runs of valid samples, however the stream is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring.slide import Slider


@st.composite
def streams(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, int, list[int]]:
    """Values (2, n) that number their samples, a mask with runs, window, hop, and where blocks end."""
    runs = draw(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=6))
    good = np.concatenate([np.full(n, value) for n, value in runs] or [np.empty(0, bool)]).astype(bool)
    values = np.arange(len(good)) + np.array([[0.0], [0.5]])
    mask = np.stack([good | (np.arange(len(good)) % 2 == 0), good | (np.arange(len(good)) % 2 == 1)])
    window = draw(st.integers(1, 12))
    cuts = sorted(draw(st.lists(st.integers(0, len(good)), max_size=6)))
    return values, mask, window, draw(st.integers(1, window)), cuts


def slide(values: np.ndarray, mask: np.ndarray, window: int, hop: int, cuts: list[int]) -> list:
    slider = Slider(window, hop)
    found = []
    for begin, end in pairwise([0, *cuts, values.shape[1]]):
        found += list(slider.feed(values[:, begin:end], mask[:, begin:end]))
    return found + list(slider.finish())


@given(streams())
def test_windows_do_not_depend_on_the_blocks_and_cover_what_can_be_covered(case) -> None:  # noqa: ANN001
    values, mask, window, hop, cuts = case
    whole, parts = slide(values, mask, window, hop, []), slide(values, mask, window, hop, cuts)
    assert [w.start for w in whole] == [w.start for w in parts]
    covered = np.zeros(values.shape[1], dtype=bool)
    for a, b in zip(whole, parts, strict=True):
        expected = values[:, a.start : a.start + window]
        np.testing.assert_array_equal(a.values, expected)
        np.testing.assert_array_equal(b.values, expected)
        assert mask[:, a.start : a.start + window].all()
        covered[a.start : a.start + window] = True
    good = mask.all(axis=0)
    edges = np.flatnonzero(np.diff(np.r_[False, good, False].astype(int)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        starts = [w.start for w in whole if begin <= w.start < end]
        if end - begin < window:
            assert not starts
            continue
        assert covered[begin:end].all()
        last = end - window
        assert starts == sorted({*range(begin, last + 1, hop), last})


def test_windows_survive_the_reader_reusing_its_buffer() -> None:
    slider, buffer = Slider(4, 2), np.zeros((1, 6))
    found = list(slider.feed(buffer, np.ones((1, 6), dtype=bool)))
    buffer[:] = 7.0
    assert all((window.values == 0).all() for window in found)


@pytest.mark.parametrize("hop", [0, 5])
def test_a_hop_that_leaves_samples_out_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match="hop must lie between 1 and the window"):
        Slider(4, hop)
