"""Numbers by their place, in memory and in a temporary file."""

from __future__ import annotations

import errno
import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data import spool
from seqflow.data.scratch import Scratch
from seqflow.data.spool import Spool
from seqflow.errors import InputError, ResourceError

PATH = Path("table.csv")


@settings(deadline=None)
@given(
    width=st.one_of(st.none(), st.integers(1, 4)),
    cuts=st.lists(st.integers(0, 9), max_size=8),
    most=st.sampled_from([0, 100, 1 << 20]),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5),
    seed=st.integers(0, 99),
)
def test_rows_come_back_by_their_place(
    width: int | None, cuts: list[int], most: int, spans: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = () if width is None else (width,)
    rows = rng.standard_normal((sum(cuts), *shape))
    columns = None if width is None else rng.permutation(width)[: rng.integers(1, width + 1)].tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "LARGE", most)
        patch.setattr(spool, "ROWS", 4)
        patch.setattr(spool, "_MOST", 6)
        store = Spool(PATH, np.float64, width)
        for part in np.split(rows, np.cumsum(cuts)[:-1]) if cuts else []:
            store.append(part)
        assert store.in_memory == (rows.nbytes <= most)
        chosen = rows if columns is None else rows[:, columns]
        for start, count in spans:
            np.testing.assert_array_equal(store.read(start, count, columns), chosen[start : start + count])
        np.testing.assert_array_equal(np.concatenate([rows[:0], *store.blocks()]), rows)
        if len(rows):
            some = rng.integers(0, len(rows), 12)
            some[3:6] = np.minimum(some[3] + np.arange(3), len(rows) - 1)
            np.testing.assert_array_equal(store.take(some, columns), chosen[some])
        if width is None:
            steps = [(begin + i, step) for begin, found in store.steps() for i, step in enumerate(found)]
            assert steps == list(enumerate(np.diff(rows)))
        store.cut(5)
        np.testing.assert_array_equal(store.read(3, 100), rows[3:5])


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_places_are_found(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(spool, "LARGE", most)
    store = Spool(PATH, np.int64)
    store.append(np.array([0, 2, 2, 5]))
    assert [store.place_of(value) for value in range(7)] == [0, 1, 1, 3, 3, 3, 4]


def test_no_room_is_one_line_that_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Scratch(PATH)
    monkeypatch.setattr(full, "_file", Path("/dev/full").open("wb", buffering=0))  # noqa: SIM115
    with pytest.raises(ResourceError, match=r"table.csv: .*no space left; make room there, or set TMPDIR"):
        full.write(b"1234")


def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ResourceError, match=r"No such file"):
        Scratch(PATH)


def test_too_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        with pytest.raises(ResourceError, match=r"Too many open files; raise the limit"):
            for _ in range(64):
                many.append(Scratch(PATH))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_copy_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = Scratch(PATH)
    scratch.write(b"1234")
    assert scratch.read(1, 2) == b"23"
    with pytest.raises(InputError, match=r"unreadable.*shorter"):
        scratch.read(2, 3)

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.pread", fail)
    with pytest.raises(InputError, match=r"unreadable.*Input/output error"):
        scratch.read(0, 1)
