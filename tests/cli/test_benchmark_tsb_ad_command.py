"""`seqflow benchmark tsb-ad` on small made-up series, with a quick detector."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import Result, Seqflow
from quick_detector import Deviation
from sklearn.metrics import average_precision_score, roc_auc_score

from seqflow.jobs import tsb_ad_detector
from seqflow.metrics import estimate_window, vus

MEASURES = ("vus_pr", "vus_roc", "auc_pr", "auc_roc")
PROGRAM = """
import sys
from quick_detector import Deviation
from seqflow.jobs import tsb_ad_detector
from seqflow_cli.main import run
tsb_ad_detector.find_detector = lambda recipe: Deviation()
sys.exit(run(sys.argv[1:]))
"""
"""The command with the quick detector, as a program of its own."""
# Name, length, channels, first value, anomalous points; the first two share their labels.
SERIES = {
    "001_NAB_id_1_Facility_tr_200_1st_500.csv": (800, 1, 1.0, (500, 540)),
    "002_NAB_id_2_Facility_tr_100_1st_500.csv": (800, 1, 2.0, (500, 540)),
    "003_UCR_id_1_Sensor_tr_300_1st_700.csv": (1000, 1, 702.0, (700, 701)),
    "004_UCR_id_2_Sensor_tr_400_1st_100.csv": (50_001, 1, 4.0, (100, 900)),
    "005_MSL_id_3_Sensor_tr_250_1st_600.csv": (900, 3, 5.0, (600, 660)),
}
NAMES = list(SERIES)
WINDOWS = dict(zip(NAMES, (10, 7, 0, 40, 125), strict=True))


def write(folder: Path, name: str, rows: np.ndarray, labels: np.ndarray) -> None:
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"v{i}" for i in range(len(rows))), "Label"])
        writer.writerows(
            [*map(repr, map(float, row)), int(label)] for row, label in zip(rows.T, labels, strict=True)
        )


def make(folder: Path) -> Path:
    for number, (name, (length, channels, first, (start, stop))) in enumerate(SERIES.items()):
        rng = np.random.default_rng(number)
        t = np.arange(length)
        rows = np.sin(2 * np.pi * t / (20 + 5 * number)) + 0.3 * rng.standard_normal((channels, length))
        labels = (t >= start) & (t < stop)
        rows[:, labels] += 0.8
        rows[0, 0] = first
        write(folder, name, rows, labels)
    return folder


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of windows, and published values of eight methods for all series but the last."""
    folder = tmp_path_factory.mktemp("tables")
    lines = [f"{name},1,{window}" for name, window in WINDOWS.items()]
    (folder / "windows.csv").write_text("\n".join(["file,ts_len,window", *lines]) + "\n")
    rng = np.random.default_rng(0)
    methods = [f"M{i}" for i in range(7)]
    rows = [[name, *rng.uniform(0, 1, 7).round(3), ""] for name in NAMES[:4]]
    rows[0][-1] = 0.999  # the eighth method has one series only
    with (folder / "published.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", *methods, "Rare", "ts_len"], *([*row, 1] for row in rows)])
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tsb_ad_detector, "find_detector", lambda recipe: Deviation(float(recipe or 1.0)))


def words(series: Path, tables: Path | None, out: Path) -> list[object]:
    found: list[object] = ["benchmark", "tsb-ad", series, "--out", out]
    if tables is not None:
        found += ["--windows", tables / "windows.csv", "--published", tables / "published.csv"]
    return found


@pytest.fixture(scope="module")
def done(series: Path, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Folder of a whole run by two processes, and what was printed."""
    out = tmp_path_factory.mktemp("done") / "out"
    command = [*words(series, tables, out), "--jobs", 2]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, command)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return out, Result(ran.returncode, ran.stdout, ran.stderr)


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "series.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def labels_of(series: Path, name: str) -> np.ndarray:
    return np.genfromtxt(series / name, delimiter=",", skip_header=1)[:, -1]


def figures(series: Path, out: Path, track: str) -> dict[str, dict[str, float]]:
    """The measures of every series, from the file of its scores."""
    found = {}
    for name in NAMES:
        scores = np.load(out / "samples" / f"{name}.npy")[track]
        labels = labels_of(series, name)
        volume = vus(scores, labels, WINDOWS[name])
        points = average_precision_score(labels, scores), roc_auc_score(labels, scores)
        found[name] = dict(zip(MEASURES, (volume.pr, volume.roc, *points), strict=True))
    return found


def without_times(path: Path) -> Any:
    return json.loads(path.read_text(), object_hook=lambda one: {**one, "seconds": 0})


def test_scores_are_those_of_the_detector(done: tuple[Path, Result], series: Path) -> None:
    out, _ = done
    for name, (length, channels, *_) in SERIES.items():
        values = np.genfromtxt(series / name, delimiter=",", skip_header=1)[:, :-1].T
        assert values.shape == (channels, length)
        tracks = np.load(out / "samples" / f"{name}.npy")
        assert tracks.dtype.names == ("other", "fused") and tracks.shape == (length,)
        train = int(name.split("_tr_")[1].split("_")[0])
        middle = values[:, :train].mean(axis=1, keepdims=True)
        expected = np.abs(values - middle).mean(axis=0)
        np.testing.assert_allclose(tracks["fused"], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(tracks["other"], -tracks["fused"])


def test_rows_and_means_are_those_of_the_stored_scores(done: tuple[Path, Result], series: Path) -> None:
    out, _ = done
    rows = {row["name"]: row for row in rows_of(out)}
    assert list(rows) == NAMES
    summary = json.loads((out / "summary.json").read_text())
    means = {(one["track"], one["subset"]): one for one in summary["means"]}
    for track in ("fused", "other"):
        found = figures(series, out, track)
        for name, row in rows.items():
            for measure in MEASURES:
                assert float(row[f"{track}_{measure}"]) == pytest.approx(found[name][measure], abs=1e-12)
        first = {measure: (found[NAMES[0]][measure] + found[NAMES[1]][measure]) / 2 for measure in MEASURES}
        groups = [first, *(found[name] for name in NAMES[2:])]
        subsets = {
            "all series": list(found.values()),
            "label groups": groups,
            "up to 50,000 points": [found[name] for name in NAMES if name != NAMES[3]],
            "longer": [found[NAMES[3]]],
            "source NAB": [found[NAMES[0]], found[NAMES[1]]],
            "source UCR": [found[NAMES[2]], found[NAMES[3]]],
            "source MSL": [found[NAMES[4]]],
        }
        assert {subset for name, subset in means if name == track} == subsets.keys()
        for subset, members in subsets.items():
            mean = means[track, subset]
            assert mean["count"] == len(members)
            for measure in MEASURES:
                expected = np.mean([one[measure] for one in members])
                assert mean[measure] == pytest.approx(expected, abs=1e-12), (subset, measure)
    # The series differ enough for a mix-up to show.
    values = {f"{float(row['fused_vus_pr']):.4f}" for row in rows.values()}
    assert len(values) == len(rows)


def test_what_a_row_says(done: tuple[Path, Result]) -> None:
    out, _ = done
    rows = rows_of(out)
    assert [int(row["window"]) for row in rows] == list(WINDOWS.values())
    assert {row["window_from"] for row in rows} == {"table"}
    assert {(row["protocol"], row["status"], row["filled"]) for row in rows} == {("prefix", "ok", "0")}
    assert [row["train"] for row in rows] == ["200", "100", "300", "400", "250"]
    assert rows[0]["group"] == rows[1]["group"] and len({row["group"] for row in rows}) == 4
    assert [row["anomalous"] for row in rows] == ["40", "40", "1", "800", "60"]
    assert json.loads(rows[0]["notes"]) == {"period": 7, "level": None}
    assert json.loads(rows[0]["settings"]) == {"detector": "quick_detector.Deviation", "scale": 1.0}
    stored = json.loads((out / "results" / f"{NAMES[0]}.json").read_text())
    assert (stored["protocol"], stored["settings"]["scale"]) == ("prefix", 1.0)
    summary = json.loads((out / "summary.json").read_text())
    points = sum(length for length, *_ in SERIES.values())
    assert summary["speed"]["fit"] == pytest.approx(5 * 0.25 / points * 10_000)
    assert summary["speed"]["score"] == pytest.approx(5 * 0.125 / points * 10_000)
    assert summary["speed"]["worst"] == max(float(row["seconds"]) for row in rows) > 0.0
    assert (summary["windows"], summary["protocol"], summary["failed"]) == ("windows.csv", "prefix", [])


def test_beside_published_methods(done: tuple[Path, Result], series: Path, tables: Path) -> None:
    out, _ = done
    found = json.loads((out / "summary.json").read_text())["published"]
    ours = {name: one["vus_pr"] for name, one in figures(series, out, "fused").items()}
    with (tables / "published.csv").open(newline="") as file:
        table = {row["file"]: row for row in csv.DictReader(file)}
    shared = NAMES[:4]
    whole = {f"M{i}": np.array([float(table[name][f"M{i}"]) for name in shared]) for i in range(7)}
    order = sorted(whole, key=lambda name: -whole[name].mean())
    assert (found["series"], found["missing"], found["left_out"]) == (4, 1, ["Rare"])
    assert [one["name"] for one in found["methods"]] == [
        *("fused", "other", *order[:5], "best published of each series")
    ]
    by_name = {one["name"]: one["means"] for one in found["methods"]}
    best = np.max(list(whole.values()), axis=0)
    best[0] = 0.999  # of the method that is left out elsewhere
    expected = {"fused": np.array([ours[name] for name in shared]), order[0]: whole[order[0]]}
    for name, values in {**expected, "best published of each series": best}.items():
        means = by_name[name]
        assert means["all series"] == pytest.approx(values.mean())
        assert means["label groups"] == pytest.approx(np.mean([values[:2].mean(), values[2], values[3]]))
        assert means["up to 50,000 points"] == pytest.approx(values[:3].mean())
        assert means["longer"] == pytest.approx(values[3])
        assert means["source UCR"] == pytest.approx(values[2:].mean())
    difference = expected["fused"] - whole[order[0]]
    assert found["best"] == order[0]
    assert found["difference"]["mean"] == pytest.approx(difference.mean())
    assert found["difference"]["units"] == 4 and found["difference_by_group"]["units"] == 3
    assert found["difference_by_group"]["mean"] == pytest.approx(
        np.mean([difference[:2].mean(), difference[2], difference[3]])
    )
    for interval in (found["difference"], found["difference_by_group"]):
        assert difference.min() <= interval["low"] < interval["mean"] < interval["high"] <= difference.max()


def test_what_is_printed(done: tuple[Path, Result]) -> None:
    out, result = done
    assert result.code == 0
    means = {
        (one["track"], one["subset"]): one for one in json.loads((out / "summary.json").read_text())["means"]
    }
    lines = result.out.splitlines()
    assert lines[0].split() == ["track", "mean", "over", "count", "VUS-PR", "VUS-ROC", "AUC-PR", "AUC-ROC"]
    numbers = [f"{means['fused', 'all series'][measure]:.3f}" for measure in MEASURES]
    assert lines[1].split() == ["fused", "all", "series", "5", *numbers]
    assert not any(line.startswith("other") and "source" in line for line in lines)
    assert any(line.startswith("best published of each series") for line in lines)
    for text in (
        "protocol prefix: fitted on the train prefix",
        "buffer windows of windows.csv",
        "seconds for 10,000 points",
        "paired bootstrap over 3 label groups",
        "quick_detector.Deviation",
    ):
        assert text in result.err
    page = (out / "summary.md").read_text()
    assert page.startswith("| track | mean over | count |") and "| fused | all series | 5 |" in page
    assert "* protocol prefix" in page and "PA-F1" not in page
    assert not list(out.rglob(".*.tmp"))


def test_a_finished_run_is_not_done_again(
    seqflow: Seqflow, done: tuple[Path, Result], series: Path, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = done

    def no_process(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("seqflow.jobs.pool._Worker", no_process)
    before = [out / "series.csv", *sorted((out / "samples").iterdir())]
    state = [(path.read_bytes(), path.stat().st_ino) for path in before]
    result = seqflow(*words(series, tables, out), "--json")
    assert (result.code, result.err) == (0, "")
    assert result.json["reused"] == 5 and result.json["judged"] == 5
    assert (out / "series.csv").read_bytes() == state[0][0]
    assert [(path.read_bytes(), path.stat().st_ino) for path in before[1:]] == state[1:]
    assert result.json == {**json.loads((out / "summary.json").read_text())}


def test_other_input_settings_windows_or_scores_are_done_anew(
    seqflow: Seqflow, series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "series"
    own.mkdir()
    for name in NAMES[:3]:
        (own / name).write_bytes((series / name).read_bytes())
    log, out = tmp_path / "log", tmp_path / "out"
    monkeypatch.setenv("QUICK_LOG", str(log))

    def calls(*more: object) -> list[str]:
        log.write_text("")
        result = seqflow(*words(own, None, out), "--json", *more)
        assert result.code == 0, result.err
        return sorted(log.read_text().splitlines())

    assert calls() == ["1 200 (1, 800)", "2 100 (1, 800)", "702 300 (1, 1000)"]
    assert calls() == []
    text = (own / NAMES[1]).read_text()
    (own / NAMES[1]).write_text(text.replace("\n2.0,", "\n3.0,", 1))
    assert calls() == ["3 100 (1, 800)"]
    # Scores of another run, as a kill between two files leaves them.
    scores = [out / "samples" / f"{name}.npy" for name in NAMES[:3]]
    scores[0].write_bytes(scores[1].read_bytes())
    scores[2].unlink()
    assert calls() == ["1 200 (1, 800)", "702 300 (1, 1000)"]
    assert len(calls("--protocol", "whole")) == 3
    assert "1 None (1, 800)" in log.read_text()
    assert json.loads((out / "summary.json").read_text())["protocol"] == "whole"
    assert len(calls("--recipe", "2")) == 3
    table = tmp_path / "windows.csv"
    estimated = {row["name"]: int(row["window"]) for row in rows_of(out)}
    lines = [f"{name},{window + (name == NAMES[0])}" for name, window in estimated.items()]
    table.write_text("\n".join(["file,window", *lines]) + "\n")
    # A window from a table is known to be one from a table, whatever its length.
    assert len(calls("--recipe", "2", "--windows", table)) == 3


def test_windows_are_estimated_and_said_to_be(seqflow: Seqflow, series: Path, tmp_path: Path) -> None:
    result = seqflow(*words(series, None, tmp_path), "--limit", 2)
    assert result.code == 0
    assert "2 of 2 series of" in result.err and "evenly spread over its 5" in result.err
    assert "buffer windows estimated from the autocorrelation" in result.err
    rows = rows_of(tmp_path)
    assert [row["name"] for row in rows] == [NAMES[1], NAMES[3]]
    for row in rows:
        channel = np.genfromtxt(series / row["name"], delimiter=",", skip_header=1)[:, 0]
        assert (int(row["window"]), row["window_from"]) == (estimate_window(channel), "autocorrelation")
        scores = np.load(tmp_path / "samples" / f"{row['name']}.npy")["fused"]
        volume = vus(scores, labels_of(series, row["name"]), int(row["window"]))
        assert float(row["fused_vus_pr"]) == pytest.approx(volume.pr, abs=1e-12)


def test_a_killed_run_goes_on(
    seqflow: Seqflow,
    series: Path,
    done: tuple[Path, Result],
    tables: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "QUICK_FAULTS": "on",
        "QUICK_LOG": str(log),
    }
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words(series, tables, out))], env=env)
    try:
        until = time.monotonic() + 120
        while not (log.exists() and "702" in log.read_text()):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert sorted(path.name for path in (out / "results").iterdir()) == [f"{name}.json" for name in NAMES[:2]]
    assert not (out / "series.csv").exists()
    log.write_text("")
    monkeypatch.setenv("QUICK_LOG", str(log))
    result = seqflow(*words(series, tables, out), "--json")
    assert (result.code, result.json["reused"]) == (0, 2)
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["702", "4", "5"]
    # The same as a run that nobody stopped, but for the clock on the wall.
    for name in NAMES:
        ours, theirs = (folder / "samples" / f"{name}.npy" for folder in (out, done[0]))
        assert ours.read_bytes() == theirs.read_bytes()
        assert without_times(out / "results" / f"{name}.json") == without_times(
            done[0] / "results" / f"{name}.json"
        )


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
        (["--protocol", "label"], "'label' is none of prefix, whole"),
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


def test_the_fields_of_the_summary_stay_plain(done: tuple[Path, Result]) -> None:
    out, _ = done
    text = (out / "summary.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["machine"]["threads"] == 1
