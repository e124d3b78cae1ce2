"""`seqflow benchmark samples` on small trained models of made-up sound and tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import Seqflow
from scipy.signal import lfilter

from seqflow_cli.main import run

MODEL = """
model:
  condition: {condition}
  layers:
    - kind: dequantize
    - kind: standardize
    - {{kind: whitening, taps: 8}}
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
train: {{steps: 6, batch: 4, warmup: 1, validate_every: 3, validate_windows: 4, threads: 1, log_every: 2}}
sample: {{n: 2, length: 400}}
"""
SOUND = """
name: sound
data:
  kind: audio
  root: {root}
  files: ["*.wav"]
  rate: 8000
  window: 128
  conditions: {conditions}
  split: {{test: ["*_t*.wav"], valid: 0.1, calibration: 0.1}}
"""
TABLE = """
name: table
data:
  kind: series
  root: {root}
  files: ["*.csv"]
  columns: [a, b]
  time: null
  window: 64
  split: {{by: time, valid: 0.2, calibration: 0.2}}
"""


def coloured(rng: np.random.Generator, pole: float, length: int = 1200) -> np.ndarray:
    values = np.asarray(lfilter([1.0], [1.0, pole], rng.standard_normal(length + 100))[100:])
    return 0.1 * values / values.std()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound of two kinds, dull 0_ and bright 1_, and a table."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for kind, pole in enumerate((-0.9, 0.9)):
        for name in (*"abcdefgh", "t1", "t2", "t3"):
            path = folder / f"{kind}_{name}.wav"
            soundfile.write(path, coloured(rng, pole), 8000, subtype="PCM_16")
    with (folder / "one.csv").open("w") as file:
        file.write("a,b\n")
        for a, b in zip(20 + coloured(rng, -0.5, 2000), 1e3 * coloured(rng, 0.0, 2000), strict=True):
            file.write(f"{a:.4f},{b:.1f}\n")
    return folder


def trained(folder: Path, name: str, text: str, **keys: str) -> Path:
    recipe = folder / f"{name}.yaml"
    recipe.write_text((text + MODEL).format(root=folder, **{"condition": "[]", **keys}))
    assert run(["train", str(recipe), "--out", str(folder / name), "--device", "cpu"]) == 0
    return folder / name


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    return trained(folder, "sound", SOUND, conditions="{}")


@pytest.fixture(scope="module")
def conditional(folder: Path) -> Path:
    return trained(folder, "told", SOUND, conditions="{kind: {path: '^(.)_'}}", condition="[kind]")


@pytest.fixture(scope="module")
def table(folder: Path) -> Path:
    return trained(folder, "table", TABLE)


def test_sound_is_judged_and_can_be_listened_to(seqflow: Seqflow, sound: Path) -> None:
    words = ["benchmark", "samples", sound, "-n", "40", "--label-pattern", r"^(\d)_", "--device", "cpu"]
    result = seqflow(*words)
    assert result.code == 0, result.err
    out = sound / "benchmark"
    assert sorted(path.name for path in out.iterdir()) == ["samples.html", "samples.json", "samples.md"]
    head, *rows = result.out.splitlines()
    assert head.split()[:3] == ["figure", "unit", "generated"]
    found = json.loads((out / "samples.json").read_text())
    assert len(rows) == len(found["figures"]) == 14
    assert (found["n"], found["length"], found["n_real"], found["nonfinite"]) == (40, 128, 40, 0)
    (report,) = found["classes"]
    assert report["accuracy"] > 0.9 and report["classes"] == ["0", "1"] and report["agreement"] is None
    assert "is right on" in result.err and "samples.html" in result.err
    for figure in found["figures"]:
        assert figure["floor"] is not None, figure["key"]
    figures = {figure["key"]: figure for figure in found["figures"]}
    assert figures["band_level"]["goal"] == 1.5
    assert figures["band_level"]["met"] == (figures["band_level"]["generated"] <= 1.5)
    worst = max(abs(band["difference"]) for band in found["bands"])
    assert worst == pytest.approx(figures["band_level"]["generated"])
    page = (out / "samples.html").read_text()
    assert page.count("<audio") == 2 * (6 + 8)
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "| figure | unit |" in (out / "samples.md").read_text()
    again = seqflow(*words, "--json", "--out", sound / "again").json
    keys = ("figures", "bands", "classes", "loudness")
    assert {key: again[key] for key in keys} == {key: found[key] for key in keys}
    other = seqflow(*words, "--json", "--out", sound / "other", "--seed", "1").json
    assert other["figures"] != found["figures"]


def test_a_folder_takes_the_place_of_the_test_recordings(
    seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    new = tmp_path / "new"
    new.mkdir()
    for index in range(6):
        soundfile.write(new / f"{index}.wav", 0.5 * coloured(rng, -0.9), 8000, subtype="PCM_16")
    words = ["benchmark", "samples", sound, new, "-n", "30", "--json", "--out", tmp_path / "out"]
    found = seqflow(*words).json
    assert found["real"] == f"recordings of {new}"
    assert found["n_train"] > 0 and found["classes"] == []
    assert any("no classifier" in note for note in found["notes"])


def test_a_conditional_model_is_asked_for_the_classes_of_the_real_windows(
    seqflow: Seqflow, conditional: Path, tmp_path: Path
) -> None:
    found = seqflow("benchmark", "samples", conditional, "-n", "30", "--json", "--out", tmp_path).json
    (report,) = found["classes"]
    assert report["condition"] == "kind" and report["accuracy"] > 0.9
    assert 0.0 <= report["agreement"] <= 1.0
    assert "frechet_kind" in {figure["key"] for figure in found["figures"]}
    page = (tmp_path / "samples.html").read_text()
    assert "generated 1, kind 0" in page and "generated 8, kind" in page


def test_sensors_are_drawn_and_measured_in_deviations(seqflow: Seqflow, table: Path, tmp_path: Path) -> None:
    found = seqflow("benchmark", "samples", table, "-n", "20", "--json", "--out", tmp_path).json
    assert 0.5 < found["loudness"]["real"]["rms"]["mean"] < 2.0
    assert "holds back" in found["real"] and found["rate"] is None
    assert any("no classifier" in note for note in found["notes"])
    page = (tmp_path / "samples.html").read_text()
    assert "<audio" not in page and page.count("<img") == 2 + 2 + 8


def test_a_hostile_name_of_a_recording_stays_text(
    seqflow: Seqflow, sound: Path, folder: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    name = "<img src=x onerror=alert(1)>|`.wav"
    (new / name).write_bytes((folder / "0_t1.wav").read_bytes())
    result = seqflow("benchmark", "samples", sound, new, "-n", "5", "--out", tmp_path / "out")
    assert result.code == 0, result.err
    page = (tmp_path / "out" / "samples.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-n", "1"], "1 sequences have no distribution"),
        (["--length", "32"], "32 samples are too few"),
        (["--length", "5000"], "no held-out recording has 5000 samples"),
        (["--temperature", "11"], "temperature 11 is not between"),
        (["--label-pattern", "("], "is not a regular expression"),
        (["--label-pattern", "nothing"], "matches the name of no recording"),
    ],
)
def test_faults_are_one_line(
    seqflow: Seqflow, sound: Path, tmp_path: Path, words: list[str], line: str
) -> None:
    result = seqflow("benchmark", "samples", sound, "-n", "4", *words, "--out", tmp_path / "out")
    assert result.code == 2
    assert line in result.err and result.err.count("\n") == 1
    assert not list((tmp_path / "out").glob("*"))
