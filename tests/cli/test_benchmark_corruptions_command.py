"""`seqflow benchmark corruptions` on short trainings of made-up recordings."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow

from seqflow.corruptions import CORRUPTIONS
from seqflow_cli.main import run

RECIPE = """
name: sound
data:
  kind: audio
  root: {root}
  files: ["*.wav"]
  rate: 8000
  window: 128
  split: {{test: ["t*.wav"], valid: 0.1, calibration: 0.7}}
model:
  layers:
    - kind: dequantize
    - kind: standardize
    - {{kind: whitening, taps: 8}}
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
train: {{steps: 6, batch: 4, warmup: 1, validate_every: 3, validate_windows: 4, threads: 1, log_every: 2}}
score: {{smoothing: [1, 8], alarm_rate: 0.05}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in [*(f"n{index:02}" for index in range(32)), *(f"t{index}" for index in range(8))]:
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(1200), 8000, subtype="PCM_16")
    return folder


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    recipe = folder / "sound.yaml"
    recipe.write_text(RECIPE.format(root=folder))
    assert run(["train", str(recipe), "--out", str(folder / "run"), "--device", "cpu"]) == 0
    return folder / "run"


def words(run_: Path, given: Path, *more: object) -> list[object]:
    return ["benchmark", "corruptions", run_, given, "--device", "cpu", *more]


def test_a_run_is_measured_on_what_it_has_not_seen(seqflow: Seqflow, sound: Path, folder: Path) -> None:
    result = seqflow(*words(sound, folder))
    assert result.code == 0, result.err
    out = sound / "corruptions"
    assert sorted(path.name for path in out.iterdir()) == [
        f"corruptions.{end}" for end in ("csv", "json", "md")
    ]
    found = json.loads((out / "corruptions.json").read_text())
    # The test recordings alone: the run was made from the others.
    assert found["recordings"] == 8 and "32 recordings passed over" in result.err
    assert found["unit"] == "recording" and 19 <= found["calibration"] < 99
    assert "1% cannot be promised" in result.err and found["rates"] == [1 / (found["calibration"] + 1), 0.05]
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["clean", *CORRUPTIONS, "mean"]
    assert rows["silence"]["states"] == {"silent": 8} and rows["silence"]["unscored"] == 8
    assert rows["silence"]["figures"]["score"]["auroc"] == 1.0
    assert rows["silence"]["figures"]["nll"] == {
        **{"copies": 0, "left_out": 8},
        **dict.fromkeys(("auroc", "interval", "found")),
    }
    # White noise of one level: nothing is easier to tell from it than a band without any.
    for name in ("low_pass", "sample_hold", "attenuation"):
        assert rows[name]["figures"]["score"]["auroc"] > 0.95, name
    # And nothing harder than itself backwards.
    assert 0.2 < rows["time_reversal"]["figures"]["score"]["auroc"] < 0.8
    areas = [rows[name]["figures"]["score"]["auroc"] for name in CORRUPTIONS]
    assert rows["mean"]["figures"]["score"]["auroc"] == pytest.approx(np.mean(areas))
    with (out / "corruptions.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows) * (2 + len(found["terms"]))
    for line in table:
        figure = rows[line["corruption"]]["figures"][line["score"]]
        assert line["auroc"] == ("" if figure["auroc"] is None else repr(figure["auroc"]))
    printed = result.out.splitlines()
    assert printed[0].split()[:3] == ["corruption", "strength", "state"]
    assert any(line.startswith("AUROC of") for line in printed)
    page = (out / "corruptions.md").read_text()
    assert "| tone | SNR 10 dB" in page and "found at 5% by" in page


def test_the_same_seed_gives_the_same(seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path) -> None:
    def rows(*more: object) -> object:
        return seqflow(*words(sound, folder, "--json", "--out", tmp_path / "out", "--limit", 4, *more)).json[
            "rows"
        ]

    first = rows()
    assert rows() == first
    assert rows("--seed", 1) != first


def test_blocks_and_sensors(seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path) -> None:
    found = seqflow(*words(trained, recordings, "--json", "--out", tmp_path / "out")).json
    assert found["unit"] == "block" and found["recordings"] == 3
    result = seqflow(*words(trained, recordings, "--limit", 2, "--out", tmp_path / "out"))
    assert "recordings of" in result.err and "of 3;" in result.err and "calibrated by blocks" in result.err


def test_some_recordings_cannot_be_used(seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "in"
    given.mkdir()
    for name in ("t0", "t1"):
        (given / f"{name}.wav").write_bytes((folder / f"{name}.wav").read_bytes())
    (given / "bad\n.wav").write_text("not audio")
    result = seqflow(*words(sound, given, "--out", tmp_path / "out"))
    assert result.code == 3
    assert result.err.count("left out: ") == 1 and "bad\\n.wav" in result.err
    assert (tmp_path / "out" / "corruptions.md").is_file()


@pytest.mark.parametrize(
    ("given", "more", "line"),
    [
        ("nowhere", [], "no recording can be used"),
        (".", ["--limit", "1"], "needs 2 recordings or more"),
        (".", ["--seed", "-1"], "must be 0 or more"),
        ("known", [], "holds no normal recording that is new to the run"),
    ],
)
def test_faults_are_one_line(
    seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path, given: str, more: list[str], line: str
) -> None:
    known = tmp_path / "known"
    known.mkdir()
    (known / "n00.wav").symlink_to(folder / "n00.wav")
    (known / "n01.wav").symlink_to(folder / "n01.wav")
    place = known if given == "known" else folder / given
    result = seqflow(*words(sound, place, *more, "--out", tmp_path / "out"))
    assert result.code == 2
    assert line in result.err and result.err.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))


def test_an_output_that_cannot_be_written(
    seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = seqflow(*words(sound, folder, "--limit", 2, "--out", tmp_path / "file" / "out"))
    assert result.code == 5 and result.err.count("\n") == 1
