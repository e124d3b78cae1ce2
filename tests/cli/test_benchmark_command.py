"""`seqflow benchmark density` on made-up sound and tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from calls import Seqflow
from scipy.signal import lfilter

from seqflow.recipe import load
from seqflow.training import events
from seqflow_cli.train import Show

MODEL = """
model:
  layers:
    - kind: dequantize
    - kind: standardize
    - kind: squeeze
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3}}
train: {steps: 6, batch: 4, warmup: 1, validate_every: 3, validate_windows: 4, threads: 1, log_every: 2}
score: {smoothing: [1, 8]}
"""
SOUND = """
name: {name}
data:
  kind: audio
  root: {root}
  files: ["*.wav"]
  rate: 8000
  window: 64
  split: {{test: ["t*.wav"], valid: 0.2, calibration: 0.2}}
"""
TABLE = """
name: table
data:
  kind: series
  root: {root}
  files: ["*.csv"]
  columns: [a, b]
  label: label
  time: null
  window: 32
  split: {{by: time, train_end: 1200, valid: 0.2, calibration: 0.2}}
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    for index, name in enumerate(["a", "b", "c", "d", "e", "f", "t1", "t2", "t3"]):
        noise = np.random.default_rng(index).standard_normal(1500)
        x = 0.02 * (1 + index % 3) * lfilter([1.0], [1.0, -0.9], noise)
        soundfile.write(folder / f"{name}.wav", np.clip(x, -1, 0.99), 8000, "PCM_16")
    for name in ("one", "two"):
        text = SOUND.format(name=name, root=folder) + MODEL
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    x = 20.0 + lfilter([1.0], [1.0, -0.95], rng.standard_normal((2, 2500)))
    rows = [[f"{a:.2f}", f"{b:.2f}", "0"] for a, b in x.T]
    for at in (300, 301, 1500):
        rows[at][0] = ""
    for at in range(1800, 1900):
        rows[at][2] = "1"
    with (folder / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "label"], *rows])
    (folder / "table.yaml").write_text(TABLE.format(root=folder) + MODEL)
    return folder


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in found["rows"]}


def test_sound(seqflow: Seqflow, sound: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["benchmark", "density", sound / "one.yaml", sound / "two.yaml", "--out", out, "--windows", 50]
    result = seqflow(*words, "--device", "cpu")
    assert result.code == 0
    assert result.out.splitlines()[0].split()[:2] == ["model", "bits/sample"]
    assert "50 windows of 64 samples, evenly spread over the test part of one (3 recordings)" in result.err
    found = json.loads((out / "density.json").read_text())
    rows = by_name(found)
    flows = [row for row in found["rows"] if row["kind"] == "flow"]
    assert [row["model"] for row in flows] == ["one, seed 0", "two, seed 0"]
    # The same weights, data and windows, so the same figures to the last digit.
    assert flows[0]["value"] == flows[1]["value"] and flows[0]["interval"] == flows[1]["interval"]
    assert all(row["steps"] == 6 and row["parameters"] > 0 and row["cpu_seconds"] > 0 for row in flows)
    assert rows["AR(32) Gaussian"]["value"] < rows["DCT Gaussian"]["value"] + 0.5
    assert 5.0 < rows["FLAC, whole recordings"]["value"] < 16.0
    best = min((row for row in found["rows"] if row["kind"] == "reference"), key=lambda row: row["value"])
    assert found["best_reference"] == best["model"] and best["difference"] is None
    assert flows[0]["difference"] == pytest.approx(flows[0]["value"] - best["value"])
    with (out / "density.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["model"] for line in lines] == [row["model"] for row in found["rows"]]
    assert float(lines[0]["value"]) == found["rows"][0]["value"]
    page = (out / "density.md").read_text()
    assert page.startswith("| model | bits/sample |") and "| one, seed 0 |" in page
    assert not list(out.glob(".*"))


def test_a_finished_model_is_not_trained_again(
    seqflow: Seqflow, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["benchmark", "density", sound / "one.yaml", "--out", tmp_path, "--windows", 9, "--device", "cpu"]
    first = seqflow(*words, "--json")
    assert (first.code, first.err) == (0, "")
    before = (tmp_path / "one" / "best.safetensors").stat().st_mtime_ns
    steps: list[int] = []
    shown = Show.__call__

    def watch(self: Show, event: events.Event) -> None:
        steps.extend([event.step] if isinstance(event, events.Step) else [])
        shown(self, event)

    monkeypatch.setattr(Show, "__call__", watch)
    assert seqflow(*words).code == 0
    assert steps == [] and (tmp_path / "one" / "best.safetensors").stat().st_mtime_ns == before
    again = json.loads((tmp_path / "density.json").read_text())
    ours, theirs = (by_name(one)["one, seed 0"] for one in (first.json, again))
    assert ours == theirs
    # As a run it is the same model.
    run = seqflow(
        "benchmark", "density", "--run", tmp_path / "one", "--out", tmp_path / "x", "--windows", 9, "--json"
    )
    assert run.code == 0
    theirs = by_name(run.json)["one, seed 0"]
    assert {**theirs, "run": ours["run"]} == ours


def test_a_stopped_training_goes_on(seqflow: Seqflow, sound: Path, tmp_path: Path) -> None:
    words = ["benchmark", "density", sound / "one.yaml", "--windows", 9, "--device", "cpu", "--json"]
    whole = seqflow(*words, "--out", tmp_path / "whole")
    out = tmp_path / "parts"
    short = seqflow(*words, "--out", out, "--set", "train.steps=3")
    longer = seqflow(*words, "--out", out)
    assert {whole.code, short.code, longer.code} == {0}
    assert by_name(longer.json)["one, seed 0"]["steps"] == 6
    assert by_name(short.json)["one, seed 0"]["steps"] == 3
    spent = [by_name(one.json)["one, seed 0"]["cpu_seconds"] for one in (short, longer)]
    assert spent[1] > spent[0]


def test_an_interrupt_says_how_to_go_on(
    seqflow: Seqflow, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import signal

    shown = Show.__call__

    def interrupt(self: Show, event: events.Event) -> None:
        shown(self, event)
        if isinstance(event, events.Step) and event.step == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Show, "__call__", interrupt)
    words = ["benchmark", "density", sound / "one.yaml", "--windows", 9, "--device", "cpu", "--out", tmp_path]
    result = seqflow(*words)
    assert result.code == 130
    assert "after step 4 of 6; the same command goes on from there" in result.err
    assert not (tmp_path / "density.json").exists()
    monkeypatch.setattr(Show, "__call__", shown)
    result = seqflow(*words)
    assert result.code == 0 and "going on after step 4" in result.err
    assert json.loads((tmp_path / "density.json").read_text())


def test_a_table_with_gaps_and_labels(seqflow: Seqflow, table: Path, tmp_path: Path) -> None:
    words = ["benchmark", "density", table / "table.yaml", "--out", tmp_path, "--device", "cpu", "--json"]
    found = seqflow(*words, "--windows", 100).json
    assert (found["unit"], found["channels"], found["resampled"]) == ("bits/sample", 2, "blocks of time")
    assert found["windows"] == 100 and found["recordings"] == 1
    rows = by_name(found)
    assert rows["AR(8) Gaussian"]["parameters"] == 18
    # Innovations of deviation 1 on a lattice of 0.01, and what the level costs at the start of a window.
    entropy = 0.5 * np.log2(2 * np.pi * np.e) + np.log2(100.0)
    assert entropy - 0.15 < rows["AR(8) Gaussian"]["value"] < entropy + 1.0
    assert rows["full Gaussian"]["value"] is not None
    # In whole numbers of 0.01; the recording misses samples, so that only its windows have a code.
    assert [name for name in rows if name.startswith("FLAC")] == ["FLAC, the windows joined"]
    assert entropy - 0.15 < rows["FLAC, the windows joined"]["value"] < entropy + 2.0
    # As many places as there are, no more: 2500 - 1200 samples, without the gap and the labels.
    every = seqflow(*words, "--windows", 100_000).json
    stretches = [1500 - 1200, 1800 - 1501, 2500 - 1900]
    assert every["windows"] == sum(length - 31 for length in stretches)


def test_other_data_and_their_valid_part(seqflow: Seqflow, sound: Path, table: Path, tmp_path: Path) -> None:
    words = ["benchmark", "density", sound / "one.yaml", "--data", table / "table.yaml", "--part", "valid"]
    found = seqflow(*words, "--out", tmp_path, "--device", "cpu", "--length", 16, "--order", 3, "--json").json
    assert (found["data"], found["part"], found["length"]) == ("table", "valid", 16)
    assert "AR(3) Student-t" in by_name(found)
    assert any("chose the flows' weights" in note for note in found["notes"])
    assert by_name(found)["one, seed 0"]["note"] == ""
    assert load(tmp_path / "one" / "recipe.yaml").data == load(table / "table.yaml").data


def test_a_run_of_other_data_is_doubted(seqflow: Seqflow, sound: Path, tmp_path: Path) -> None:
    quick = ["--windows", 9, "--device", "cpu", "--json"]
    seqflow("benchmark", "density", sound / "one.yaml", "--out", tmp_path, *quick)
    words = ["--run", tmp_path / "one", "--set", "data.split.valid=0.4", "--out", tmp_path / "x"]
    found = seqflow("benchmark", "density", *words, *quick).json
    assert by_name(found)["one, seed 0"]["note"].startswith("trained on other data")


def test_a_model_with_conditions_is_measured_with_and_without(
    seqflow: Seqflow, sound: Path, tmp_path: Path
) -> None:
    words = ["benchmark", "density", sound / "one.yaml", "--out", tmp_path, "--windows", 9, "--device", "cpu"]
    # Names of the recordings have a letter each; test recordings share one that is not among them.
    text = (sound / "one.yaml").read_text()
    text = text.replace("window: 64", 'window: 64\n  conditions: {load: {path: "([a-z])[0-9]?[.]wav"}}')
    recipe = tmp_path / "one.yaml"
    recipe.write_text(text.replace("model:\n", "model:\n  condition: [load]\n"))
    words[2] = recipe
    rows = by_name(seqflow(*words, "--json").json)
    assert {"one, seed 0", "one, seed 0, told its conditions"} <= rows.keys()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "nothing to measure"),
        (["toy/sine", "--part", "train"], "part train"),
        (["toy/sine", "--windows", "0"], "0 windows"),
        (["toy/sine", "--length", "65"], "multiples of 2"),
        (["toy/sine", "--length", "64", "--set", "model.base={kind: window_mixture}"], "multiples of 128"),
        (["toy/sine", "--length", "100000"], "no whole window of 100000"),
        (["toy/sine", "--set", "data.windo=3"], "nearest valid key 'window'"),
        (["audio/fsdd", "--set", "data.root=/nonexistent"], "data.root"),
        (["--run", "nothing"], "nothing"),
    ],
)
def test_usage(seqflow: Seqflow, tmp_path: Path, words: list[str], what: str) -> None:
    result = seqflow("benchmark", "density", *words, "--out", tmp_path / "out")
    assert (result.code, result.out) == (2, "")
    assert what in result.err and result.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
