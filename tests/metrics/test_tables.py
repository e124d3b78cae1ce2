"""Tables of the TSB-AD benchmark, whole and damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seqflow.errors import InputError
from seqflow.metrics import read_published, read_windows

SHARED = os.environ.get("SEQFLOW_SHARED")
PUBLISHED = "file,IForest,MOMENT (ZS),ts_len,num_anomaly\na.csv,0.25,0.5,100,2\nb.csv,,1.0,200,1\n"


def test_published_values(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\ufeff" + PUBLISHED + "\n", encoding="utf-8")
    assert read_published(path) == {
        "a.csv": {"IForest": 0.25, "MOMENT (ZS)": 0.5},
        "b.csv": {"MOMENT (ZS)": 1.0},
    }


def test_windows(tmp_path: Path) -> None:
    path = tmp_path / "windows.csv"
    path.write_text("file,ts_len,window\na.csv,100,6\nb.csv,200,125\n")
    assert read_windows(path) == {"a.csv": 6, "b.csv": 125}


@pytest.mark.parametrize(
    ("read", "text", "code", "message"),
    [
        (read_published, "", "empty", "no row"),
        (read_published, "file,A,ts_len\n", "empty", "no row"),
        (read_published, "name,A,ts_len\na,1,2\n", "missing_column", "file"),
        (read_published, "file,A\na,1\n", "missing_column", "ts_len"),
        (read_published, "file,ts_len\na,1\n", "missing_column", "no method"),
        (read_published, "file,A,ts_len\na,1\n", "ragged", "line 2 has 2 cells, the header 3"),
        (read_published, "file,A,ts_len\na,1,2\n\na,1,2\n", "duplicate_series", "line 4: a"),
        (read_published, "file,A,ts_len\na,nan,2\n", "not_numeric", "a: A: 'nan'"),
        (read_published, "file,A,ts_len\na,x,2\n", "not_numeric", "a: A: 'x'"),
        (read_published, 'file,A,ts_len\na,"1,2\n', "unreadable", "not a CSV file"),
        (read_windows, "file,ts_len\na,1\n", "missing_column", "window"),
        (read_windows, "file,window\na,2.5\n", "not_numeric", "a: window: '2.5'"),
        (read_windows, "file,window\na,-2\n", "not_numeric", "a: window: '-2'"),
    ],
)
def test_damaged_tables(
    read: Callable[[Path], object], text: str, code: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.code == code
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.csv", tmp_path, tmp_path / "bytes.csv"):
        with pytest.raises(InputError) as caught:
            read_published(path)
        assert caught.value.code == "unreadable"


if SHARED:

    @pytest.mark.shared
    @pytest.mark.parametrize(("kind", "series", "methods"), [("u", 103, 32), ("m", 24, 23)])
    def test_the_published_tables(kind: str, series: int, methods: int) -> None:
        root = Path(str(SHARED))
        root = (root / "data" if (root / "data").is_dir() else root) / "tables"
        published = read_published(root / f"tsb_ad_{kind}_published_VUS-PR.csv")
        assert len(published) == series
        assert {len(values) for values in published.values()} == {methods}
        assert all(0.0 <= value <= 1.0 for values in published.values() for value in values.values())
        assert published.keys() <= read_windows(root / f"windows_{kind}.csv").keys()
