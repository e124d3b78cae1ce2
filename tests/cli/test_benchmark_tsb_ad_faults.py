"""`seqflow benchmark tsb-ad` on series, tables and detectors that are no good."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calls import Seqflow
from quick_detector import Deviation
from tsb_ad import NAMES, make, make_tables, rows_of, run_here, words, write

from seqflow.jobs import tsb_ad_detector


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tables(tmp_path_factory.mktemp("tables"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tsb_ad_detector, "find_detector", lambda name: Deviation(float(name) if name[0].isdigit() else 1.0)
    )


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqflow.jobs.benchmark_tsb_ad.run_tasks", run_here)


@pytest.mark.usefixtures("here")
def test_series_that_cannot_be_judged(seqflow: Seqflow, series: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / NAMES[0]).write_bytes((series / NAMES[0]).read_bytes())
    rows, t = np.random.default_rng(0).standard_normal((2, 300)), np.arange(300)
    write(folder, "b_NAB_tr_50_x.csv", rows, t < 0)
    write(folder, "c_NAB_tr_50_x.csv", rows, t >= 0)
    write(folder, "d_NAB_tr_301_x.csv", rows, t > 200)
    write(folder, "e_NAB_x.csv", rows, t > 200)
    (folder / "f_NAB_tr_50_x.csv").write_text("Data,Label\n1,0\n2,0,5\n")
    (folder / "g_NAB_tr_50_x.csv").write_text("Data,Mark\n1,0\n2,0\n")
    (folder / "h_NAB_tr_50_x.csv").write_bytes(b"")
    (folder / "i_NAB_tr_50_x.csv").symlink_to(folder / "nowhere.csv")
    write(folder, "j_NAB_tr_50_x.csv", np.where([[False], [True]], np.nan, rows), t > 200)
    holes = rows.copy()
    holes[0, 10], holes[1, 299] = np.nan, np.inf
    write(folder, "7_HOLES_tr_50_x.csv", holes, t > 200)
    (folder / "notes.txt").write_text("not a series")
    result = seqflow(*words(folder, None, tmp_path / "out"))
    assert result.code == 3
    found = {row["name"]: row for row in rows_of(tmp_path / "out")}
    states = {name: row["status"] for name, row in found.items()}
    assert states == {
        NAMES[0]: "ok",
        "7_HOLES_tr_50_x.csv": "ok",
        "b_NAB_tr_50_x.csv": "one_kind",
        "c_NAB_tr_50_x.csv": "one_kind",
        "d_NAB_tr_301_x.csv": "no_prefix",
        "e_NAB_x.csv": "no_prefix",
        "f_NAB_tr_50_x.csv": "ragged",
        "g_NAB_tr_50_x.csv": "missing_column",
        "h_NAB_tr_50_x.csv": "empty",
        "i_NAB_tr_50_x.csv": states["i_NAB_tr_50_x.csv"],
        "j_NAB_tr_50_x.csv": states["j_NAB_tr_50_x.csv"],
    }
    assert "ok" not in (states["i_NAB_tr_50_x.csv"], states["j_NAB_tr_50_x.csv"])
    assert all(row["detail"] for row in found.values() if row["status"] != "ok")
    assert found["7_HOLES_tr_50_x.csv"]["filled"] == "2"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["judged"] == 2 and len(summary["failed"]) == 9
    fused = [float(found[name]["fused_vus_pr"]) for name in (NAMES[0], "7_HOLES_tr_50_x.csv")]
    assert summary["means"][0]["vus_pr"] == pytest.approx(np.mean(fused), abs=1e-12)
    for name, row in found.items():
        if row["status"] != "ok":
            assert row["fused_vus_pr"] == "" and f"{name}: {row['status']}: " in result.err
    # Without the prefix of the names, what only lacked one is judged.
    whole = seqflow(*words(folder, None, tmp_path / "out"), "--protocol", "whole", "--json")
    assert whole.json["judged"] == 4


def test_a_detector_that_fails(
    seqflow: Seqflow, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {
        701: ("crashed", "SIGKILL"),
        702: ("timeout", "more than 8 seconds"),
        703: ("internal_error", "no such thing"),
        704: ("too_short", "fewer points"),
        705: ("bad_scores", "1 of 800 scores are not finite"),
        706: ("bad_scores", "(799,)"),
        707: ("bad_scores", "no track"),
    }
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / NAMES[0]).write_bytes((series / NAMES[0]).read_bytes())
    text = (series / NAMES[1]).read_text()
    for first in expected:
        (folder / f"{first}_UCR_tr_100_x.csv").write_text(text.replace("\n2.0,", f"\n{first}.0,", 1))
    monkeypatch.setenv("QUICK_FAULTS", "on")
    result = seqflow(*words(folder, None, out), "--timeout", 8)
    assert result.code == 3
    rows = rows_of(out)
    assert rows[0]["status"] == "ok"
    for row, (status, detail) in zip(rows[1:], expected.values(), strict=True):
        assert row["status"] == status and detail in row["detail"]
    assert [path.name for path in (out / "results").iterdir()] == [f"{NAMES[0]}.json"]
    assert json.loads((out / "summary.json").read_text())["means"][0]["count"] == 1
    # What failed is tried again.
    monkeypatch.setenv("QUICK_FAULTS", "")
    again = seqflow(*words(folder, None, out), "--json")
    assert (again.code, again.json["reused"], again.json["judged"]) == (0, 1, 8)


@pytest.mark.usefixtures("here")
def test_nothing_to_judge(seqflow: Seqflow, series: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a_NAB_tr_50_x.csv").write_text("Data,Label\n1,0\n2,0,5\n")
    result = seqflow(*words(folder, None, tmp_path / "out"), "--json")
    assert result.code == 4
    assert (result.json["judged"], result.json["means"], result.json["speed"]) == (0, [], None)
    assert seqflow(*words(folder, None, tmp_path / "out")).code == 4


def test_a_resource_that_runs_out(
    seqflow: Seqflow, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    text = (series / NAMES[1]).read_text()
    (folder / NAMES[1]).write_text(text.replace("\n2.0,", "\n708.0,", 1))
    monkeypatch.setenv("QUICK_FAULTS", "on")
    result = seqflow(*words(folder, None, tmp_path / "out"), "--json")
    assert (result.code, result.out, result.err) == (5, "", "no room at all\n")
    assert not (tmp_path / "out" / "series.csv").exists()


@pytest.mark.usefixtures("here")
def test_tables_that_lack_series(seqflow: Seqflow, series: Path, tables: Path, tmp_path: Path) -> None:
    table = tmp_path / "windows.csv"
    table.write_text(f"file,window\n{NAMES[4]},10\nelse.csv,3\n")
    command = [*words(series, None, tmp_path / "out"), "--windows", table]
    result = seqflow(*command, "--published", tables / "published.csv")
    assert result.code == 3
    assert result.err.count(": no_window: is not in the table of windows") == 8  # when met, and at the end
    assert "published.csv: holds none of the series with figures" in result.err
    assert [row["status"] for row in rows_of(tmp_path / "out")] == ["no_window"] * 4 + ["ok"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--windows", "{tables}/absent.csv"], "absent.csv: unreadable"),
        (["--windows", "{tables}/published.csv"], "no column window"),
        (["--windows", "{tables}/other.csv"], "other.csv: holds none of the series"),
        (["--published", "{tables}/windows.csv"], "no method before"),
        (["--published", "{tables}/other.csv"], "other.csv: holds none of the series"),
        (["--protocol", "label"], "'label' is none of prefix, whole, both"),
        (["--jobs", "0"], "at least 1"),
        (["--limit", "0"], "0 series have no mean"),
        (["--out", "{series}"], "holds the series"),
    ],
)
def test_usage(
    seqflow: Seqflow, series: Path, tables: Path, tmp_path: Path, more: list[str], text: str
) -> None:
    (tables / "other.csv").write_text("file,A,ts_len,window\nelse.csv,0.5,3,3\n")
    out = tmp_path / "out"
    command = [*words(series, None, out), *(one.format(tables=tables, series=series) for one in more)]
    result = seqflow(*command)
    assert (result.code, result.out) == (2, "")
    assert text in result.err and result.err.count("\n") == 1
    assert not out.exists()


def test_folders_without_series(seqflow: Seqflow, tmp_path: Path) -> None:
    for folder, text in ((tmp_path, "holds no CSV files"), (tmp_path / "x", "no such folder")):
        result = seqflow("benchmark", "tsb-ad", folder, "--out", tmp_path / "out")
        assert result.code == 2 and text in result.err and result.err.count("\n") == 1
