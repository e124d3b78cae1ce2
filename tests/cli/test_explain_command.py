"""`seqflow explain` and `seqflow score --intervals`, on models that were trained a little."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow
from numpy.typing import NDArray
from scipy.signal import lfilter

from seqflow.data.synthetic import make_recordings
from seqflow.recipe import load
from seqflow.recipe.data import SyntheticData
from seqflow_cli.main import run


def read(path: Path) -> NDArray[np.float32]:
    return np.asarray(np.load(path, allow_pickle=False)[:, 0])


def test_the_worst_interval_is_made_usual(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ["explain", trained, recordings / "r2.wav", "--out"]
    result = seqflow(*words, tmp_path / "why")
    assert result.code == 0, result.err
    names = ["nearest-normal.csv", "nearest-normal.npy", "residual.csv", "residual.npy"]
    names += ["surprise.npy", "explanation.json", "explanation.png"]
    assert result.out.splitlines() == [str(tmp_path / "why" / name) for name in names]
    found = json.loads((tmp_path / "why" / "explanation.json").read_text())
    (row,) = seqflow("score", trained, recordings / "r2.wav", "--json").json_lines
    assert (found["begin"], found["end"]) == pytest.approx((row["worst_start"], row["worst_end"]))
    assert found["before"]["score"] == row["score"]
    original = soundfile.read(recordings / "r2.wav", dtype="float32")[0]
    normal, residual = (read(tmp_path / "why" / f"{name}.npy") for name in ("nearest-normal", "residual"))
    np.testing.assert_allclose(normal + residual, original, atol=1e-6)
    changed = np.flatnonzero(normal != original)
    assert found["start"] - 32 <= changed.min() < changed.max() < found["stop"] + 32
    # The burst is 200 samples of unit variance.
    assert residual[900:1100].std() > 0.7 and normal[900:1100].std() < 1.3 * original[:700].std()
    assert found["after"]["height"] < 0.3 * found["before"]["height"]
    assert found["after"]["score"] < found["before"]["score"]
    surprise = np.load(tmp_path / "why" / "surprise.npy")
    assert surprise.shape[0] == len(found["octaves"]) - 1
    # Written again, it is the same; scored from its file, it has the score that was told.
    assert seqflow(*words, tmp_path / "again", "--json").json["after"] == found["after"]
    for name in names:
        assert (tmp_path / "why" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    (again,) = seqflow("score", trained, tmp_path / "why" / "nearest-normal.npy", "--json").json_lines
    assert again["score"] == pytest.approx(found["after"]["score"], rel=1e-3)


def test_an_interval_that_is_asked_for(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ["explain", trained, recordings / "r2.wav", "--from", 0.9, "--to", 1.1, "--blank"]
    found = seqflow(*words, "--out", tmp_path, "--json").json
    assert (found["start"], found["stop"], found["blank"]) == (900, 1100, True)
    assert found["after"]["height"] < found["before"]["height"]


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (["r0.wav", "--from", "1"], 2, "come together"),
        (["r0.wav", "--from", "1", "--to", "3"], 2, "explain: from 1 to 3 seconds is no stretch"),
        (["zero.wav"], 3, "silent"),
        (["gone.wav"], 3, "gone.wav"),
    ],
)
def test_faults_are_one_line_and_leave_nothing(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path, words: list[str], code: int, what: str
) -> None:
    soundfile.write(tmp_path / "zero.wav", np.zeros(2000), 1000)
    name, *rest = words
    path = recordings / name if name == "r0.wav" else tmp_path / name
    result = seqflow("explain", trained, path, *rest, "--out", tmp_path / "out")
    assert (result.code, result.out, result.err.count("\n")) == (code, "", 1), result.err
    assert what in result.err and not (tmp_path / "out").exists()


def test_intervals_are_ranked_and_the_first_is_the_worst(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    values = soundfile.read(recordings / "r0.wav", dtype="float32")[0]
    random = np.random.default_rng(0)
    values[400:450] += 2.0 * random.standard_normal(50)
    values[1500:1550] += random.standard_normal(50)
    soundfile.write(tmp_path / "two.wav", values, 1000, subtype="FLOAT")
    words = ["score", trained, tmp_path / "two.wav", "--intervals", 2]
    (row,) = seqflow(*words, "--json").json_lines
    first, second = row["intervals"]
    assert (first["rank"], second["rank"]) == (1, 2) and first["height"] > second["height"] > 1.0
    assert first["start_seconds"] == row["worst_start"] and first["end_seconds"] == row["worst_end"]
    assert first["start"] <= 425 < first["end"] and second["start"] <= 1525 < second["end"]
    assert first["start"] <= first["peak"] < first["end"] and first["channels"] is None
    shown = seqflow(*words, "--out", tmp_path / "out")
    head, *lines = shown.out.partition("\n\n")[2].splitlines()
    assert head.split() == ["recording", "rank", "from", "to", "peak", "height"]
    assert [line.split()[1] for line in lines] == ["1", "2"]
    with (tmp_path / "out" / "intervals.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [int(one["start"]) for one in listed] == [first["start"], second["start"]]


def trained_on(folder: Path, series: list[np.ndarray]) -> Path:
    """A run on series (T, 3), whose last one is kept out of the training."""
    data = folder / "data"
    data.mkdir()
    for index, values in enumerate(series):
        text = ["left,middle,right", *(",".join(map(repr, map(float, row))) for row in values)]
        (data / f"s{index}.csv").write_text("\n".join(text) + "\n")
    recipe = folder / "three.yaml"
    recipe.write_text(
        """
name: three
data: {kind: series, root: data, rate: 1000.0, time: null, window: 64, hop: 32, step: 0.0,
       split: {valid: 0.1, calibration: 0.5, test: ["s11.csv"]}}
model:
  layers:
    - kind: standardize
    - {kind: whitening, taps: 8}
    - kind: squeeze
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3}}
score: {smoothing: [1, 8]}
"""
    )
    steps = [
        "train.steps=6",
        "train.warmup=1",
        "train.batch=4",
        "train.validate_windows=4",
        "train.threads=1",
    ]
    sets = [word for one in (*steps, f"data.root={data}") for word in ("--set", one)]
    words = ["train", str(recipe), "--out", str(folder / "run"), "--device", "cpu", *sets]
    assert run(words) == 0
    return folder / "run"


def test_the_channel_that_stands_still_is_named(seqflow: Seqflow, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    series = []
    for _ in range(12):
        own = lfilter([0.6], [1.0, -0.8], random.standard_normal((2000, 4)), axis=0)
        series.append(own[:, :3] + 0.5 * own[:, 3:])
    # Each value of the channel is one it often has; that it stays is what is wrong.
    series[11][900:1200, 2] = series[11][899, 2]
    folder = trained_on(tmp_path, series)
    words = ("score", folder, tmp_path / "data" / "s11.csv", "--intervals", 1, "--json")
    (found,) = seqflow(*words).json_lines[0]["intervals"]
    assert found["start"] < 1200 and found["end"] > 900
    assert next(iter(found["channels"])) == "right" and found["channels"]["right"] > 0.8


def test_the_channel_with_the_fault_is_named(seqflow: Seqflow, tmp_path: Path) -> None:
    data = load("toy/sine", ["data.recordings=12", "data.seconds=2"]).data
    assert isinstance(data, SyntheticData)
    made = [one.read(0, one.length).values[0] for one in make_recordings(data)]
    random = np.random.default_rng(0)
    mixed = [
        np.stack([wave + 0.1 * random.standard_normal(len(wave)) for _ in range(3)], axis=1) for wave in made
    ]
    mixed[11][900:1000, 1] += 1.0
    folder = trained_on(tmp_path, mixed).parent / "data"
    (row,) = seqflow("score", tmp_path / "run", folder / "s11.csv", "--intervals", 1, "--json").json_lines
    (found,) = row["intervals"]
    assert 850 < found["start"] < 1000 and next(iter(found["channels"])) == "middle"
    assert found["channels"]["middle"] > 0.6
    why = seqflow("explain", tmp_path / "run", folder / "s11.csv", "--out", tmp_path / "why", "--json").json
    assert next(iter(why["channels"])) == "middle"
    residual = np.load(tmp_path / "why" / "residual.npy")[920:980]
    assert np.abs(residual).mean(axis=0).argmax() == 1
