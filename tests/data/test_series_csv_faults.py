"""CSV files that are damaged, cut off, or no files at all: each fault is named by its place."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from csv_files import PLAIN, config, fault, one, values, write
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.series import open_series
from seqflow.errors import InputError


@pytest.mark.parametrize(
    ("content", "keys", "code", "says"),
    [
        ("", {}, "empty", "no bytes"),
        ("a,b\n", {}, "empty", "no rows"),
        ("a,b", {}, "empty", "no rows"),
        ("\n\n", {}, "empty", "no rows"),
        ("a\n\n\n", {}, "empty", "no rows"),
        ("a,b\n1,2\n3,x\n", {}, "not_numeric", "row 3, column 'b': 'x'"),
        ("a,b\n\n1,2\n\n3,1.2.3\n", {}, "not_numeric", "row 5, column 'b'"),
        ('a,b\n1,2\n2,3\n"3","4\n5"\n6,x\n', {}, "not_numeric", "row 4, column 'b': '4 5'"),
        ("# by\na,b\n1,2\n3,0x10\n", {}, "not_numeric", "row 4"),
        ("a,b\nx,2\ny,z\n", {"columns": ["b"]}, "not_numeric", "row 3, column 'b'"),
        ("a,b\nx,2\n", {"columns": ["a"]}, "not_numeric", "row 2, column 'a'"),
        ("x\na\nb\n", {}, "not_numeric", "no column of numbers"),
        ("a;b\n1,5;2\n", {}, "not_numeric", "data.decimal"),
        ("a;b\n1,5;2\n", {"columns": ["a"]}, "not_numeric", "decimal mark ','"),
        ("a;b\n1,5;2\n3.5;4\n", {"decimal": ","}, "not_numeric", "row 3, column 'a': '3.5'"),
        ("a;b\n1,5;2\n1.234,5;4\n", {"decimal": ","}, "not_numeric", "row 3, column 'a': '1.234,5'"),
        ('a,b\n"1,234.5",2\n3,4\n', {}, "not_numeric", "'1,234.5' is not a number; marks of thousands"),
        ('a,b\n"1,234.5",2\n"2,000,000",4\n', {}, "not_numeric", "row 2, column 'a'"),
        ("a;b\n1.234,5;2\n2.000;4\n", {"decimal": ","}, "not_numeric", "marks of thousands are not read"),
        ("a,b\n1,2\n3\n4,5\n", {}, "ragged", "row 3 has 1 cell, the others have 2"),
        ("a,b\n1,2\n\n3,4,5\n4,5\n", {}, "ragged", "row 4 has 3 cells"),
        ("a,b\n1,2\n3,4,5", {}, "ragged", "row 3 has 3 cells"),
        ("a,b\n1,2\n3\n4,x\n", {}, "ragged", "row 3"),
        ("a,b\n1,2\n3\n4", {}, "ragged", "row 3"),
        ("Temp,b\n1,2\n", {"columns": ["temp"]}, "missing_column", "nearest is 'Temp'"),
        ("a,b\n1,2\n", {"columns": ["zz"]}, "missing_column", "there are 'a', 'b'"),
        ("a,b\n1,2\n", {"time": "clock"}, "missing_column", "data.time"),
        ("a,b\n1,2\n", {"channels": [2]}, "wrong_channels", "has 2 channels"),
        ("a,b\n1,2\n", {"channels": ["c"]}, "wrong_channels", "no column 'c'"),
        ("a,b\n1,2\n", {"columns": ["a", "b"], "label": "b"}, "wrong_channels", "label"),
        ("a,a\n1,2\n", {}, "duplicate_columns", "'a'"),
        ("a,a\n1,2\n", {"columns": ["a"]}, "duplicate_columns", "'a'"),
        ("a,b\n1,2\n3,\n", {"missing": "refuse"}, "nonfinite", "row 3, column 'b'"),
        (
            "a,b\n1,2\ninf,4\nnan,5\n",
            {"missing": "refuse"},
            "nonfinite",
            "row 3, column 'a': no finite value, and 1",
        ),
        (b"a,b\n1,\x00\n", {}, "corrupt", "zero bytes"),
        ("a,b\n1,2\n".encode("utf-32"), {}, "corrupt", "UTF-32"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", {}, "corrupt", "zero bytes"),
        (",".join(map(str, range(5000))) + "\n", {}, "too_large", "5000 columns"),
    ],
)
def test_faults_name_their_place(
    tmp_path: Path, content: str | bytes, keys: dict[str, Any], code: str, says: str
) -> None:
    error = fault(write(tmp_path, content), **keys)
    assert error.code == code
    assert says in error.detail


def test_a_last_line_cut_off_is_left_out_and_told(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3,4\n5")
    recording = one(path)
    assert values(recording) == [[1.0, 3.0], [2.0, 4.0]]
    assert recording.status == "truncated"
    assert "row 4" in recording.detail
    assert recording.part(0, 1).status == "truncated"
    assert fault(path, strict=True).code == "truncated"


def test_faults_far_into_a_file_are_found(tmp_path: Path) -> None:
    """Beyond the first lines, on which the form of the file is judged, and the first block."""
    lines = ["a,b,note"] + [f"{i}.5,{i},ok" for i in range(400_000)]
    assert sum(map(len, lines)) > 5 << 20
    assert one(write(tmp_path, "\n".join(lines))).length == 400_000
    lines[390_000] = "1,zero,ok"
    assert "row 390001, column 'b': 'zero'" in fault(write(tmp_path, "\n".join(lines))).detail
    lines[390_000] = "1,2"
    assert "row 390001 has 2 cells" in fault(write(tmp_path, "\n".join(lines))).detail


def test_a_column_that_starts_empty_is_judged_by_its_first_values(tmp_path: Path) -> None:
    lines = ["a,late,dead,remark"] + [f"{i}.25,,," for i in range(700_000)]
    lines[-1] = "1,7.5,,replaced"
    recording = one(write(tmp_path, "\n".join(lines)))
    assert recording.channel_names == ("a", "late", "dead")
    last = recording.read(699_998, 10)
    assert last.mask.tolist() == [[True, True], [False, True], [False, False]]
    assert last.values[1, 1] == 7.5


def test_a_late_remark_in_another_encoding_harms_no_number(tmp_path: Path) -> None:
    rows = [b"a,note", *(b"%d.5,ok" % i for i in range(60_000)), b"7.25,d\xe9faut"]
    recording = one(write(tmp_path, b"\n".join(rows)))
    assert recording.channel_names == ("a",)
    assert recording.read(60_000, 1).values.tolist() == [[7.25]]
    rows += [b"8.5,caf\xe9,x", b"9,ok"]
    assert "row 60003 has 3 cells" in fault(write(tmp_path, b"\n".join(rows))).detail


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_no_thread_of_pyarrow_reads_through_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    # One that is at it when the process ends aborts it, or keeps it from ending: now and then, after a fault.
    opened, open_csv = [], pyarrow.csv.open_csv

    def spy(source: pa.NativeFile, read_options: pyarrow.csv.ReadOptions, **keys: Any) -> object:
        opened.append((type(source), read_options.encoding))
        return open_csv(source, read_options=read_options, **keys)

    monkeypatch.setattr(pyarrow.csv, "open_csv", spy)
    text = PLAIN.replace("a,b", "a,\u00e9")
    recording = one(write(tmp_path, text.encode(encoding), os.fsdecode(b"\xff\n.csv")))
    assert recording.channel_names == ("a", "\u00e9")
    assert values(recording) == [[1.5, 3, None], [-2, 40, 6]]
    assert opened and all(kind in (pa.OSFile, pa.BufferReader) and utf == "utf8" for kind, utf in opened)


def test_text_that_its_mark_belies(tmp_path: Path) -> None:
    assert fault(write(tmp_path, PLAIN.encode("utf-16") + b"\x00")).code == "corrupt"


@settings(deadline=None, max_examples=150)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=4
    ),
    keys=st.sampled_from(
        [{}, {"irregular": "mask"}, {"irregular": "split", "decimal": ","}, {"channels": "mono"}]
    ),
)
def test_damage_ends_in_a_recording_or_a_named_fault(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, bytes]], keys: dict[str, Any]
) -> None:
    content = b"t,a,b\n" + b"".join(b"%d,%d.5,%d\n" % (i, i % 4, -i) for i in range(40))
    for place, length, new in cuts:
        content = content[:place] + new + content[place + length :]
    path = write(tmp_path_factory.mktemp("csv"), content)
    try:
        recordings = open_series(path, name="x", config=config(**keys))
    except InputError as error:
        assert error.code
        assert "\n" not in str(error)
        return
    for recording in recordings:
        block = recording.read(0, recording.length)
        assert block.values.shape == block.mask.shape == (recording.channels, recording.length)
        assert np.isfinite(block.values).all()


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    start = time.monotonic()
    assert fault(tmp_path / "pipe.csv").code == "not_a_file"
    assert time.monotonic() - start < 5.0
    assert fault(tmp_path / "folder.csv").code == "not_a_file"
    assert fault(tmp_path / "loop.csv").code == "unreadable"
    assert fault(tmp_path / "none.csv").code == "unreadable"
    assert fault(tmp_path / ("n" * 300 + ".csv")).code == "unreadable"
    assert fault(tmp_path / "nul\0.csv").code == "unreadable"
