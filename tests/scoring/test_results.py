"""Tables of scores: exact round trips, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqflow.errors import InputError, ResourceError
from seqflow.scoring import FileScore, read_scores, results, write_scores
from seqflow.scoring.results import COLUMNS, guard

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
) | st.sampled_from(
    ["=1+1", "'=1+1", "''", "-x", "a\r\nb", "\rb", 'say "x", y', "", "0012", "true", "NA", "null", "1e5"]
)
SCORES = st.builds(
    FileScore,
    name=TEXTS,
    path=TEXTS,
    status=st.sampled_from(["ok", "silent"]),
    detail=TEXTS,
    samples=st.integers(0, 1 << 40),
    rate=st.none() | NUMBERS,
    nll=st.none() | NUMBERS,
    alarm=st.none() | st.booleans(),
    unit=st.none() | st.sampled_from(["recording", "block"]),
    worst_end=st.none() | NUMBERS,
    terms=st.just({}) | st.fixed_dictionaries({"nll": NUMBERS, "local": NUMBERS}),
    term_p_values=st.just({}) | st.fixed_dictionaries({"nll": NUMBERS, "local": NUMBERS}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(SCORES, max_size=4))
def test_both_tables_bring_every_row_back(tmp_path: Path, scores: list[FileScore]) -> None:
    for path in write_scores(tmp_path, scores, ("nll", "local")):
        rows = read_scores(path)
        assert [FileScore.from_row(row) for row in rows] == scores
        for row in rows:
            names = ["term_nll", "term_local", "p_value_nll", "p_value_local"]
            assert list(row) == [*COLUMNS, *names]


@given(TEXTS)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_the_csv_as_a_spreadsheet_reads_it(tmp_path: Path) -> None:
    score = FileScore(name="=HYPERLINK(1)", path="-a.wav", status="ok", nll=-0.1, alarm=True, samples=5)
    _, table = write_scores(tmp_path, [score], ("nll",))
    with table.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["name"] == "'=HYPERLINK(1)" and row["path"] == "'-a.wav"
    assert (row["nll"], row["alarm"], row["samples"], row["score"]) == ("-0.1", "true", "5", "")


def test_names_that_are_no_unicode_are_shown_as_escapes(tmp_path: Path) -> None:
    for path in write_scores(tmp_path, [FileScore(name="a\udcff", path="", status="ok")], ()):
        assert read_scores(path)[0]["name"] == r"a\udcff"


def test_many_rows_are_written_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_ROWS", 3)
    scores = [FileScore(name=str(i), path="", status="ok", nll=float(i)) for i in range(8)]
    for path in write_scores(tmp_path, iter(scores), ()):
        assert [row["name"] for row in read_scores(path)] == list("01234567")


def test_no_rows_still_make_a_table(tmp_path: Path) -> None:
    for path in write_scores(tmp_path, [], ("nll",)):
        assert read_scores(path) == []


def test_a_failure_leaves_the_old_tables_as_they_were(tmp_path: Path) -> None:
    paths = write_scores(tmp_path, [FileScore(name="old", path="", status="ok")], ())

    def broken():  # noqa: ANN202
        yield FileScore(name="new", path="", status="ok")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_scores(tmp_path, broken(), ())
    assert [read_scores(path)[0]["name"] for path in paths] == ["old", "old"]
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ResourceError, match="cannot be written"):
        write_scores(tmp_path / "absent", [], ())


def test_what_is_no_table_of_scores(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    pyarrow.parquet.write_table(pa.table({"x": [1]}), tmp_path / "d.parquet")
    for path in [*sorted(tmp_path.iterdir()), tmp_path / "absent.csv"]:
        with pytest.raises(InputError, match="corrupt: no table of scores"):
            read_scores(path)


def test_the_row_of_a_file_that_cannot_be_read() -> None:
    failed = FileScore.failed(
        "a/b.wav", InputError("/data/a/b.wav", "corrupt", "no RIFF header; copy it again")
    )
    assert not failed.scored
    assert failed.row()["status"] == "corrupt"
    assert FileScore.from_row(failed.row()) == failed
