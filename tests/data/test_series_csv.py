"""CSV files: every way of writing one table gives the same numbers."""

from __future__ import annotations

import csv
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from csv_files import PLAIN, config, fault, one, values, write
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.series import open_series


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (PLAIN, {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace("\n", "\r"), {}),
        ("a,b\r\n1.5,-2\n3,4e1\r\n,6", {}),
        (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
        (PLAIN.encode("utf-16"), {}),
        (PLAIN.replace(",", ";"), {}),
        (PLAIN.replace(",", "\t"), {}),
        (PLAIN.replace(",", ";").replace(".", ","), {"decimal": ","}),
        (PLAIN.replace(",", "\t").replace(".", ","), {"decimal": ","}),
        ('"a","b"\n"1.5","-2"\n3,4e1\n"",6\n', {}),
        (" a , b \n 1.5 , -2 \n +3, 4e1\n nan , 6.\n", {}),
        (PLAIN + "\n\n   \n\n", {}),
        ("\n\na,b\n\n1.5,-2\n3,4e1\n\n,6\n", {}),
        ("# made by a logger\n#\n" + PLAIN, {}),
        ("a,b,\n1.5,-2,\n3,4e1,\n,6,\n", {}),
        (",a,b\n0,1.5,-2\n1,3,4e1\n2,,6\n", {}),
        ('a,b,remark\n1.5,-2,"x, ""y"""\n3,4e1,"on two\nlines"\n,6,\n', {}),
        ("a,b,r\u00e9marque\n1.5,-2,\n3,4e1,d\u00e9but\n,6,\n".encode("latin-1"), {}),
        ("a,b,dead\n1.5,-2,\n3,4e1,\n,6,\n", {"columns": ["a", "b"]}),
        ("b,a\n-2,1.5\n4e1,3\n6,\n", {"columns": ["a", "b"]}),
        ("b,t2,a\n-2,0,1.5\n4e1,0,3\n6,0,NULL\n", {"channels": ["a", 0]}),
    ],
)
def test_one_table_in_many_hands(tmp_path: Path, content: str | bytes, keys: dict[str, Any]) -> None:
    recording = one(write(tmp_path, content), **keys)
    assert recording.channel_names == ("a", "b")
    assert values(recording) == [[1.5, 3.0, None], [-2.0, 40.0, 6.0]]
    assert (recording.kind, recording.rate, recording.start, recording.status) == ("series", None, 0, "ok")
    assert recording.labels() is None


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.lists(st.none() | st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=2, max_size=30
    ),
    mark=st.sampled_from(",;\t"),
    comma=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    header=st.booleans(),
    start=st.integers(0, 40),
    frames=st.integers(0, 40),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[float | None]],
    mark: str,
    comma: bool,
    end: str,
    quoting: Any,
    header: bool,
    start: int,
    frames: int,
) -> None:
    comma &= mark != ","
    # Fractions everywhere in the first row, so that it cannot be taken for numbers of columns.
    rows[0] = [0.5, -1.25, 7.75]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mark, lineterminator=end, quoting=quoting)
    if header:
        writer.writerow(["x", "y", "z"])
    for row in rows:
        cells = ["" if cell is None else repr(cell) for cell in row]
        writer.writerow([cell.replace(".", ",") if comma else cell for cell in cells])
    path = write(tmp_path_factory.mktemp("csv"), text.getvalue())
    recording = one(path, decimal="," if comma else ".")
    expected = np.array([[np.nan if cell is None else cell for cell in row] for row in rows]).T
    whole = recording.read(0, recording.length)
    assert recording.length == len(rows)
    assert recording.channel_names == (("x", "y", "z") if header else ("0", "1", "2"))
    np.testing.assert_array_equal(whole.mask, np.isfinite(expected))
    np.testing.assert_array_equal(whole.values, np.nan_to_num(expected))
    part = recording.read(start, frames)
    np.testing.assert_array_equal(part.values, whole.values[:, start : start + frames])
    np.testing.assert_array_equal(part.mask, whole.mask[:, start : start + frames])


@pytest.mark.parametrize(
    ("content", "names", "first"),
    [
        ("1,2\n3,4\n", ("0", "1"), 1.0),
        ("0.5,1\n3,4\n", ("0", "1"), 0.5),
        ("2024-01-01,7\n2024-01-02,8\n", ("1",), 7.0),
        ("A12,1.5\nA13,1.6\n", ("1",), 1.5),
        ("0,1,2,Label\n5,6,7,0\n", ("0", "1", "2", "Label"), 5.0),
        ("0,1,2\n5,6,7\n", ("0", "1", "2"), 5.0),
        ("0,1\n0.5,0.6\n", ("0", "1"), 0.5),
        ("0,1\n1,0\n", ("0", "1"), 0.0),
        (",0,1\n0,9.5,8\n", ("0", "1"), 9.5),
        ("530\n518\n", ("0",), 530.0),
        ("flow (l/min)\n530\n", ("flow (l/min)",), 530.0),
        ("7\n", ("0",), 7.0),
    ],
)
def test_a_header_is_told_from_data(
    tmp_path: Path, content: str, names: tuple[str, ...], first: float
) -> None:
    recording = one(write(tmp_path, content))
    assert recording.channel_names == names
    assert values(recording)[0][0] == first


def test_a_blank_line_of_a_single_column_is_a_missing_value(tmp_path: Path) -> None:
    assert values(one(write(tmp_path, "a\n1\n\n3\n\n\n"))) == [[1.0, None, 3.0]]
    assert values(one(write(tmp_path, 'a\r\n1\r\n""\r\n'))) == [[1.0, None]]


def test_the_columns_of_a_model_are_found_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "extra,b,a\n9,2,1\n9,4,3\n")
    recording = one(path, names=("a", "b"), channels=[1], columns=["b", "a"])
    assert recording.channel_names == ("a", "b")
    assert values(recording) == [[1.0, 3.0], [2.0, 4.0]]
    error = fault(write(tmp_path, "b,A\n1,2\n"), names=("a", "b"))
    assert error.code == "wrong_channels"
    assert "'a'" in error.detail


def test_a_file_without_names_fits_a_model_by_position(tmp_path: Path) -> None:
    path = write(tmp_path, "1.5,2\n3,4\n")
    assert one(path, names=("a", "b")).channel_names == ("a", "b")
    assert values(one(path, names=("1",))) == [[2.0, 4.0]]
    assert fault(path, names=("a", "b", "c")).code == "wrong_channels"


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(["a", "b", "c", "timestamp", "Label", "note"]))
def test_the_order_of_columns_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    cells = {"a": "12", "b": "34", "c": "56", "timestamp": "05", "Label": "01", "note": "xy"}
    text = "\n".join([",".join(order), *(",".join(cells[name][i] for name in order) for i in (0, 1))])
    recording = one(write(tmp_path_factory.mktemp("csv"), text), names=("c", "a"), label="Label")
    assert values(recording) == [[5.0, 6.0], [1.0, 2.0]]
    assert recording.rate == 0.2
    labels = recording.labels()
    assert labels is not None
    assert labels.tolist() == [False, True]


@pytest.mark.parametrize(
    ("channels", "names", "expected"),
    [
        ("all", ("a", "b"), [[1.0, 3.0, None], [2.0, None, 6.0]]),
        ("first", ("a",), [[1.0, 3.0, None]]),
        ("mono", (), [[1.5, None, None]]),
        ([1], ("b",), [[2.0, None, 6.0]]),
        (["b", "a"], ("b", "a"), [[2.0, None, 6.0], [1.0, 3.0, None]]),
    ],
)
def test_channels(
    tmp_path: Path, channels: Any, names: tuple[str, ...], expected: list[list[float | None]]
) -> None:
    recording = one(write(tmp_path, "a,b\n1,2\n3,\ninf,6\n"), channels=channels)
    assert recording.channel_names == names
    assert recording.channels == len(expected)
    assert values(recording) == expected


def test_labels_are_kept_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "x,Label\n1,0\n2,1\n3,\n4,True\n5,false\n")
    recording = one(path, label="Label")
    assert recording.channel_names == ("x",)
    labels = recording.labels()
    assert labels is not None
    assert labels.tolist() == [False, True, False, True, False]
    part = recording.part(1, 3).labels()
    assert part is not None
    assert part.tolist() == [True, False]
    # A file without labels is welcome, a misspelt one would teach the model the answers.
    assert one(write(tmp_path, "x,y\n1,0\n2,1\n", "other.csv"), label="Label").labels() is None
    assert fault(path, label="label").code == "missing_column"
    assert "'Label'" in fault(path, label="Labels").detail
    assert one(path, names=("x",), label="labels").labels() is None
    error = fault(write(tmp_path, "x,Label\n1,0\n2,maybe\n"), label="Label")
    assert (error.code, "row 3" in error.detail) == ("not_numeric", True)


@pytest.mark.parametrize(
    "name", ["gr\u00fc\u00df.csv", "-x.csv", "two\nlines.csv", "b" * 251 + ".csv", "UP.CSV"]
)
def test_odd_names_are_names(tmp_path: Path, name: str) -> None:
    assert values(one(write(tmp_path, PLAIN, name)))[0][0] == 1.5


def test_other_suffixes_are_told_by_their_content(tmp_path: Path) -> None:
    assert values(one(write(tmp_path, PLAIN, "logger.dat")))[0][0] == 1.5
    np.savez(tmp_path / "many.npz", a=np.zeros(3))
    error = fault(tmp_path / "many.npz")
    assert (error.code, ".npy" in error.detail) == ("unknown_format", True)


def test_recordings_travel_to_worker_processes(tmp_path: Path) -> None:
    parts = open_series(
        write(tmp_path, "t,x,Label\n0,1,0\n1,2,1\n9,3,0\n10,4,0\n"),
        name="x",
        config=config(label="Label", irregular="split"),
    )
    again = pickle.loads(pickle.dumps(parts))  # noqa: S301
    assert [part.name for part in again] == ["x#1", "x#2"]
    assert (
        [values(part) for part in again] == [values(part) for part in parts] == [[[1.0, 2.0]], [[3.0, 4.0]]]
    )


def test_the_shapes_of_public_collections(tmp_path: Path) -> None:
    """Made after TSB-AD-U, TSB-AD-M and NAB: names, decimals, labels and time as they are there."""
    rng = np.random.default_rng(3)
    flow = rng.integers(0, 90_000, 500) / 1000
    labels = (np.arange(500) >= 400).astype(int)
    path = write(tmp_path, "Data,Label\n" + "".join(f"{x},{y}\n" for x, y in zip(flow, labels, strict=True)))
    recording = one(path, columns=["Data"], label="Label", time=None)
    assert (recording.channel_names, recording.step, recording.rate) == (("Data",), 0.001, None)
    assert np.array_equal(np.flatnonzero(recording.labels()), np.arange(400, 500))  # type: ignore[arg-type]

    flags = rng.integers(0, 2, (500, 24))
    header = ",".join([*map(str, range(25)), "Label"])
    rows = [
        ",".join([f"{x}", *(f"{y}.0" for y in row), "0"])
        for x, row in zip(rng.normal(size=500), flags, strict=True)
    ]
    recording = one(write(tmp_path, "\n".join([header, *rows])), label="Label", time=None)
    assert recording.channel_names == tuple(map(str, range(25)))
    assert (recording.length, recording.step) == (500, None)

    stamps = np.datetime64("2014-02-14T14:27:00") + 300 * np.arange(500).astype("timedelta64[s]")
    text = "".join(f"{str(t).replace('T', ' ')},{x}\n" for t, x in zip(stamps, flow, strict=True))
    recording = one(
        write(tmp_path, "timestamp,value\n" + text), columns=["value"], time="timestamp", irregular="mask"
    )
    assert (recording.rate, recording.channel_names, recording.length) == (1 / 300, ("value",), 500)
