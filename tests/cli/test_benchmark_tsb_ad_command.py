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
from tsb_ad import NAMES, PROGRAM, SERIES, WINDOWS, labels_of, make, make_tables, rows_of, run_here, words

from seqflow.jobs import tsb_ad_detector
from seqflow.metrics import estimate_window, vus

MEASURES = ("vus_pr", "vus_roc", "auc_pr", "auc_roc")


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


@pytest.mark.usefixtures("here")
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
    assert len(calls("--detector", "2")) == 3
    table = tmp_path / "windows.csv"
    estimated = {row["name"]: int(row["window"]) for row in rows_of(out)}
    lines = [f"{name},{window + (name == NAMES[0])}" for name, window in estimated.items()]
    table.write_text("\n".join(["file,window", *lines]) + "\n")
    # A window from a table is known to be one from a table, whatever its length.
    assert len(calls("--detector", "2", "--windows", table)) == 3


@pytest.mark.usefixtures("here")
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
    command = [sys.executable, "-c", PROGRAM, *map(str, words(series, tables, out))]
    process = subprocess.Popen(command, env=env)
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


def test_the_fields_of_the_summary_stay_plain(done: tuple[Path, Result]) -> None:
    out, _ = done
    text = (out / "summary.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["machine"]["threads"] == 1
