"""Tables beyond the size that is kept in memory: the same recordings and faults, to the bit."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from csv_files import config, fault, one, write
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data import channels, spool, table_csv, table_parquet
from seqflow.data.dataset import Windows
from seqflow.data.recording import Recording
from seqflow.data.series import open_series
from seqflow.errors import InputError

T0 = datetime(2024, 1, 11, 22, 59)
_FORMATS = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "zone": "%Y-%m-%dT%H:%M:%SZ",
    "day": "%d.%m.%Y %H:%M:%S",
    "month": "%m/%d/%Y %I:%M:%S %p",
    "compact": "%Y%m%dT%H%M%S",
    "clock": "%H:%M:%S",
}


def stamp(form: str, seconds: float) -> Any:
    if form in _FORMATS:
        return (T0 + timedelta(seconds=round(seconds))).strftime(_FORMATS[form])
    return {"epoch": 1706658000 + round(seconds), "ms": 1706658000000 + round(1000 * seconds)}.get(
        form, seconds
    )


@st.composite
def times(draw: st.DrawFn, n: int) -> list[Any]:
    """Time stamps in even steps, but for gaps, shared times, rows out of order, and cells at fault."""
    step = draw(st.sampled_from([1.0, 0.5, 60.0, 3600.0]))
    at = step * np.arange(n)
    for _ in range(draw(st.integers(0, 3))):
        row, what = (
            draw(st.integers(0, n - 1)),
            draw(st.sampled_from(["gap", "twice", "early", "uneven", "far"])),
        )
        match what:
            case "gap":
                at[row:] += step * draw(st.integers(1, 9))
            case "twice":
                at[row] = at[row - 1]
            case "early":
                at[row:] -= step * draw(st.integers(1, 9))
            case "uneven":
                at[row] += 0.3 * step
            case "far":
                at[row:] += step * 1e5
    form = draw(st.sampled_from([*_FORMATS, "epoch", "ms", "seconds"]))
    cells = [stamp(form, seconds) for seconds in at.tolist()]
    for cell in draw(st.lists(st.sampled_from(["", "x", "2024-13-01 00:00:00", "1e30"]), max_size=2)):
        if draw(st.integers(0, 3)) == 2:
            cells[draw(st.integers(0, n - 1))] = cell
    return cells


@st.composite
def column(draw: st.DrawFn, n: int) -> list[Any]:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    values: list[Any] = draw(
        st.sampled_from(
            [
                rng.standard_normal(n).tolist(),
                (rng.integers(-500, 500, n) / 100).tolist(),
                rng.standard_normal(n).astype(np.float32).tolist(),
                (1e39 * rng.standard_normal(n)).tolist(),
                [3.5] * n,
                ["ok"] * n,
                [""] * (n - 1) + [1.25],
            ]
        )
    )
    for cell in draw(st.lists(st.sampled_from(["", "nan", "inf", "-inf", "NA"]), max_size=4)):
        values[draw(st.integers(0, n - 1))] = cell
    if draw(st.integers(0, 24)) == 17:
        values[draw(st.integers(0, n - 1))] = draw(st.sampled_from(["oops", "1,5"]))
    return values


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """The suffix and the content of a file."""
    n = draw(st.sampled_from([1, 2, 5, *range(10, 60)]))
    columns = {name: draw(column(n)) for name in "abcd"[: draw(st.integers(1, 4))]}
    columns["e"] = np.random.default_rng(n).standard_normal(n).round(draw(st.sampled_from([1, 9]))).tolist()
    if draw(st.integers(0, 3)) != 3:
        columns = {"timestamp": draw(times(n)), **columns}
    if draw(st.booleans()):
        columns["Label"] = draw(st.lists(st.sampled_from([0, 0, 1, "", "true"]), min_size=n, max_size=n))
    if draw(st.integers(0, 4)) == 0:
        sink = pa.BufferOutputStream()
        typed = {name: _typed(cells) for name, cells in columns.items()}
        pq.write_table(pa.table(typed), sink, row_group_size=draw(st.sampled_from([3, 20, 1000])))
        return ".parquet", sink.getvalue().to_pybytes()
    mark = draw(st.sampled_from(";\t"))
    lines = [mark.join(columns), *(mark.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    if draw(st.integers(0, 12)) == 7:
        lines[draw(st.integers(0, n))] += mark + "7"
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(
        st.sampled_from(["\n", "\n", "\n\n\n", ""])
    )
    if len(columns) > 1 and draw(st.integers(0, 9)) == 7:
        text = text.rstrip().rpartition(mark)[0]
    if draw(st.integers(0, 4)) == 0:
        return ".csv", ("# \u00e9\n" + text).encode("latin-1")
    return ".csv", text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])))


def _typed(cells: list[Any]) -> pa.Array:
    """Numbers where all cells are some, `nan` and `inf` among them, else text."""
    try:
        return pa.array([None if cell in ("", "NA") else float(cell) for cell in cells])
    except ValueError:
        return pa.array(list(map(str, cells))).dictionary_encode()


KEYS = st.fixed_dictionaries(
    {
        "irregular": st.sampled_from(["mask", "split", "sort", "refuse"]),
        "missing": st.sampled_from(["mask", "mask", "mask", "refuse"]),
        "channels": st.sampled_from(["all", "all", "mono", "first"]),
        "label": st.sampled_from([None, "Label"]),
        "step": st.sampled_from(["auto", 0.0, 0.5]),
    }
)


def told(path: Path, keys: dict[str, Any], strict: bool, frames: int) -> tuple[Any, bool]:
    """All that is to be had from a file, or its fault; and whether any of it lies in a temporary file."""
    try:
        recordings = open_series(path, name="x", config=config(**keys), strict=strict, times=True)
    except InputError as error:
        return (error.code, error.detail), False
    return [_of(recording, frames) for recording in recordings], _stored(recordings[0])


def _of(recording: Recording, frames: int) -> tuple[Any, ...]:
    blocks = list(recording.blocks(frames))
    whole = recording.read(0, recording.length)
    np.testing.assert_array_equal(np.concatenate([block.values for block in blocks], axis=1), whole.values)
    np.testing.assert_array_equal(np.concatenate([block.mask for block in blocks], axis=1), whole.mask)
    labels = recording.labels()
    keys = ("name", "channel_names", "rate", "step", "length", "start", "status", "detail")
    return (
        *(getattr(recording, key) for key in keys),
        whole.values.dtype,
        whole.values.tobytes(),
        whole.mask.tobytes(),
        None if labels is None else labels.tolist(),
        [recording.time_of(index) for index in range(recording.length)],
    )


def _stored(recording: Recording) -> bool:
    whole = getattr(recording, "whole", recording)
    return whole._whole is None


def lower(patch: pytest.MonkeyPatch, most: int = 0, rows: int = 7) -> None:
    """Few bytes in memory, few rows at a time."""
    patch.setattr(spool, "LARGE", most)
    patch.setattr(spool, "ROWS", rows)
    patch.setattr(spool, "_MOST", 20)
    patch.setattr(channels, "_MOST", 1000)
    patch.setattr(table_parquet, "_ROWS", rows)


@settings(deadline=None, max_examples=200)
@given(
    table=tables(),
    keys=KEYS,
    strict=st.booleans(),
    most=st.sampled_from([0, 50, 300]),
    rows=st.integers(1, 9),
    frames=st.integers(1, 20),
)
def test_large_tables_give_what_small_ones_do(
    table: tuple[str, bytes], keys: dict[str, Any], strict: bool, most: int, rows: int, frames: int
) -> None:
    suffix, content = table
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = write(Path(folder), content, f"file{suffix}")
        patch.setattr(table_csv, "_BLOCK", 300)
        expected, stored = told(path, keys, strict, frames)
        assert not stored
        lower(patch, most, rows)
        found, stored = told(path, keys, strict, frames)
        assert stored or most or isinstance(found, tuple)
        assert found == expected


LINES = ["t,a,b,note,Label", *(f"{i // 50 + i},{i % 7}.5,{-i},ok,{int(i == 30)}" for i in range(400))]


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    lower(monkeypatch)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Eight stretches of 50 rows, a step missing between them."""
    return write(tmp_path, "\n".join(LINES) + "\n")


def handles() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.usefixtures("lowered")
def test_temporary_files_have_no_name_and_go_with_the_recordings(
    tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = handles()
    parts = open_series(table, name="x", config=config(irregular="split", label="Label"))
    assert len(parts) == 8 and all(map(_stored, parts))
    assert handles() == before + 1
    filled = one(table, irregular="mask")
    assert handles() == before + 3  # and which sample each row is
    assert list(folder.iterdir()) == []
    del parts, filled
    assert handles() == before


@pytest.mark.usefixtures("lowered")
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_copied_and_read_by_no_thread_through_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    opened, open_csv = [], table_csv.pyarrow.csv.open_csv

    def spy(source: pa.NativeFile, **keys: Any) -> object:
        opened.append(type(source))
        return open_csv(source, **keys)

    monkeypatch.setattr(table_csv.pyarrow.csv, "open_csv", spy)
    monkeypatch.setattr(table_csv, "_BLOCK", 1001)  # cuts characters in two
    path = write(
        tmp_path, "\n".join(["\u00e9,b,c", *(f"{i},{-i},\u00fc" for i in range(2000))]).encode(encoding)
    )
    recording = one(path)
    assert opened == [pa.OSFile]
    assert recording.channel_names == ("\u00e9", "b")
    assert recording.read(1990, 99).values.tolist() == [
        list(range(1990, 2000)),
        list(range(-1990, -2000, -1)),
    ]
    write(tmp_path, path.read_bytes() + b"\xd8" * (encoding == "utf-16"))
    if encoding == "utf-16":
        assert fault(path).code == "corrupt"


@pytest.mark.usefixtures("lowered")
def test_windows_of_large_tables_are_loaded_by_other_processes(table: Path) -> None:
    recordings = [one(table, irregular=policy, label="Label") for policy in ("mask", "mask")]
    windows = Windows(recordings, window=16, hop=8, seed=3)
    alone = [windows.batch(step, 5) for step in range(6)]
    for found, expected in zip(windows.loader(0, 6, 5, workers=2), alone, strict=True):
        np.testing.assert_array_equal(found.x, expected.x)
        np.testing.assert_array_equal(found.mask, expected.mask)


@pytest.mark.usefixtures("lowered")
@pytest.mark.parametrize(
    ("stamps", "rate"),
    [
        # As month first they would be months apart, up to the 13th.
        ([(T0 + timedelta(days=i)).strftime("%d/%m/%Y") for i in range(60)], 1 / 86400),
        # Both fit all rows: first of the month, or January.
        ([f"{1 + i:02}/01/2024 00:00" for i in range(12)], 1 / 86400),
        ([f"01/{1 + i:02}/2024 00:00" for i in range(12)], 1 / 86400),
        ([*range(50), "50.001", *range(51, 60)], 1.0),
        # Milliseconds since 1970 by the last of them alone.
        ([10**11 - 25 + i for i in range(50)], 1000.0),
        ([*(f"2024-01-01 00:00:{i:02}" for i in range(59)), "2024-01-01 00:00:59,000"], 1.0),
    ],
)
def test_time_stamps_are_read_in_one_way_throughout(tmp_path: Path, stamps: list[Any], rate: float) -> None:
    recording = one(write(tmp_path, "\n".join(["t;x", *(f"{cell};{i}" for i, cell in enumerate(stamps))])))
    assert recording.rate == pytest.approx(rate)
    assert recording.length == len(stamps)


KILLED = """
import os, signal, sys
from seqflow.data import spool
from seqflow.data.series import open_series
from seqflow.recipe.data import SeriesData

spool.LARGE = 1000
(recording,) = open_series(
    sys.argv[1], name="x", config=SeriesData(kind="series", root=".", window=16, irregular="mask")
)
print(recording.length, len(os.listdir(sys.argv[2])), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_of_a_process_that_is_killed(tmp_path: Path, table: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(table), str(folder)],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["407", "0"]
    assert list(folder.iterdir()) == []


def test_recordings_in_memory_travel_to_other_processes(table: Path) -> None:
    recording = one(table, irregular="mask", label="Label")
    copy = pickle.loads(pickle.dumps(recording))  # noqa: S301
    np.testing.assert_array_equal(copy.read(0, 400).values, recording.read(0, 400).values)


def test_arrays_with_a_column_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(100.0)
    np.save(tmp_path / "x.npy", np.stack([rows + (rows > 40), rows % 5, rows == 7], axis=1))
    (tmp_path / "x.json").write_text('{"channels": ["t", "a", "Label"]}', encoding="utf-8")
    keys = {"irregular": "mask", "label": "Label"}
    expected = told(tmp_path / "x.npy", keys, False, 10)
    assert expected[0][0][4] == 101
    lower(monkeypatch)
    assert told(tmp_path / "x.npy", keys, False, 10) == (expected[0], True)
