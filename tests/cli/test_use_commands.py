"""`seqflow score`, `sample`, `info` and `export` on a model that was trained a little."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow

from seqflow.scoring import read_scores
from seqflow_cli.console import moment


def test_score_prints_a_table(seqflow: Seqflow, trained: Path, recordings: Path) -> None:
    result = seqflow("score", trained, recordings)
    assert result.code == 0
    head, *rows = (line.split() for line in result.out.splitlines())
    assert head == ["recording", "status", "alarm", "score", "p", "worst", "nats"]
    assert [row[:3] for row in rows[:2]] == [["r0.wav", "ok", "no"], ["r1.wav", "ok", "no"]]
    assert float(rows[2][3]) > 2 * float(rows[0][3])
    begin, end = (float(part) for part in rows[2][5].split("-"))
    assert 0.7 < begin < end < 1.3
    assert result.err.splitlines()[-1].startswith("3 recordings, ")


@pytest.mark.parametrize(
    ("seconds", "rate", "text"),
    [
        (3600.0, 1.0, "01:00:00"),
        (3725.4321, 360.0, "01:02:05.432"),
        (86399.9999, 360.0, "1d 00:00:00.000"),
        (1_017_900.0, 1 / 300, "11d 18:45:00"),
    ],
)
def test_places_hours_in_are_told_in_hours_and_days(seconds: float, rate: float, text: str) -> None:
    assert moment(seconds, rate) == text


def test_score_as_json_and_in_files(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    words = ["--out", out, "--samples", "--figures", 1, "--json"]
    result = seqflow("score", trained, recordings, *words)
    assert (result.code, result.err) == (0, "")
    assert [row["name"] for row in result.json_lines] == ["r0.wav", "r1.wav", "r2.wav"]
    rows = read_scores(out / "scores.csv")
    assert [row["score"] for row in rows] == [row["score"] for row in result.json_lines]
    assert {path.name for path in (out / "samples").iterdir()} == {f"r{i}.wav.npy" for i in range(3)}
    assert {path.name for path in (out / "figures").iterdir()} == {"01-r2.wav.png", "overview.png"}


def test_score_shows_every_term(seqflow: Seqflow, trained: Path, recordings: Path) -> None:
    (row,) = seqflow("score", trained, recordings / "r2.wav", "--json").json_lines
    result = seqflow("score", trained, recordings / "r2.wav", "--terms")
    head, *lines = result.out.partition("\n\n")[2].splitlines()
    assert head.split() == ["recording", "term", "value", "p", "likelihood"]
    shown = [line.split(maxsplit=4) for line in lines]
    names = [key.removeprefix("term_") for key in row if key.startswith("term_")]
    assert [cells[1] for cells in shown] == ["score", *names] and len(names) == 4
    assert [cells[4] for cells in shown] == ["none", "of the window", *["none"] * 3]
    for _, name, value, p, _ in shown:
        keys = ("score", "p_value") if name == "score" else (f"term_{name}", f"p_value_{name}")
        assert (value, p) == tuple(f"{row[key]:.3f}" for key in keys)


def test_score_exit_codes_tell_some_from_all(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    for name in ("r0.wav", "r1.wav"):
        shutil.copy(recordings / name, tmp_path)
    (tmp_path / "text\n.wav").write_text("no sound")
    soundfile.write(tmp_path / "zero.wav", np.zeros(2000), 1000)
    result = seqflow("score", trained, tmp_path)
    assert result.code == 3
    assert [line.split()[1] for line in result.out.splitlines()[1:]] == ["ok", "ok", "not_audio", "silent"]
    assert "text\\n.wav: not_audio: " in result.err
    assert result.err.splitlines()[-1].startswith("4 recordings") and "2 without a score" in result.err
    assert seqflow("score", trained, tmp_path / "zero.wav", tmp_path / "nothing.wav").code == 4


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["--alarm-rate", "0.00001"], 2, "attainable"),
        (["--samples"], 2, "out"),
        (["--figures", "-1"], 2, "--figures"),
        (["--device", "cuda:99"], 2, "cuda:99"),
    ],
)
def test_score_usage(
    seqflow: Seqflow, trained: Path, recordings: Path, words: list[str], code: int, what: str
) -> None:
    result = seqflow("score", trained, recordings, *words)
    assert (result.code, result.out) == (code, "")
    assert what in result.err and result.err.count("\n") == 1


@pytest.mark.parametrize("command", [["score", "x.wav"], ["info"], ["sample", "--out", "o"]])
def test_a_run_that_is_none(seqflow: Seqflow, tmp_path: Path, command: list[str]) -> None:
    first, *rest = command
    for run in (tmp_path / "nothing", tmp_path):
        result = seqflow(first, run, *rest)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"{run}: ") and result.err.count("\n") == 1


def test_a_damaged_model_is_refused(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    content = bytearray((trained / "best.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "best.safetensors").write_bytes(content)
    result = seqflow("info", tmp_path)
    assert result.code == 2 and "damaged" in result.err


def test_sample_writes_and_score_reads_it(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples"
    result = seqflow("sample", trained, "-n", 2, "--seconds", 1.5, "--seed", 5, "--out", out)
    assert result.code == 0
    assert result.out.splitlines() == [
        str(out / f"sample-{name}") for name in ("0001.csv", "0001.npy", "0002.csv", "0002.npy")
    ] + [str(out / "samples.png")]
    assert np.load(out / "sample-0001.npy").shape == (1500, 1)
    scored = seqflow("score", trained, out, "--json")
    assert scored.code == 0
    rows = {row["name"]: row for row in scored.json_lines}
    assert rows["sample-0001.csv"]["rate"] == 1000.0
    assert rows["sample-0001.csv"]["nll"] == pytest.approx(rows["sample-0001.npy"]["nll"], rel=1e-6)


def test_no_home_and_no_locale_is_no_trouble(trained: Path, tmp_path: Path) -> None:
    env = {"HOME": "/dev/null/home", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    out = tmp_path / "größe"
    words = ["sample", str(trained), "-n", "1", "--device", "cpu", "--out", str(out)]
    done = subprocess.run([sys.executable, "-m", "seqflow_cli", *words], env=env, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (out / "samples.png").is_file()


def test_sample_as_json(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    found = seqflow("sample", trained, "-n", 1, "--length", 64, "--out", tmp_path, "--json").json
    assert (found["n"], found["length"], found["channels"], found["redrawn"]) == (1, 64, 1, 0)
    assert found["paths"] == [str(tmp_path / f"sample-0001.{kind}") for kind in ("csv", "npy")]


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--length", "0"], "at least 1"), (["--length", "8", "--seconds", "1"], "leave one out")],
)
def test_sample_usage(seqflow: Seqflow, trained: Path, tmp_path: Path, words: list[str], what: str) -> None:
    result = seqflow("sample", trained, "--out", tmp_path / "out", *words)
    assert result.code == 2 and what in result.err
    assert not (tmp_path / "out").exists()


def test_info(seqflow: Seqflow, trained: Path) -> None:
    result = seqflow("info", trained)
    assert (result.code, result.err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert rows["model"].startswith(str(trained / "best.safetensors"))
    assert rows["recipe"] == "toy/sine: Tones in noise, made up."
    assert rows["takes"] == "1 channel, 1000 Hz, no common step, multiples of 2"
    names = [line[:20].split("  ")[0] for line in result.out.splitlines()]
    assert len(set(names)) == len(names)
    assert rows["steps"].startswith("6; the model is that of step ") and "trained" not in rows
    assert "blocks" in rows["calibration"] and "can be promised" in rows["alarms"]


def test_info_as_json(seqflow: Seqflow, trained: Path) -> None:
    found = seqflow("info", trained / "best.safetensors", "--json").json
    assert found["recipe"]["train"]["steps"] == 6
    assert found["parameters"] > 1000 and len(found["sha256"]) == 64
    assert found["calibration"]["attainable_rate"] == pytest.approx(1 / (found["calibration"]["n"] + 1))
    assert json.dumps(found["training"])


def test_export(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    result = seqflow("export", trained, "--out", path, "--json")
    assert result.code == 0
    assert result.json["size"] == path.stat().st_size and result.json["length"] == 128
    assert seqflow("export", trained, "--out", tmp_path / "model.onnx").code == 2
