"""A packed folder wherever a folder of recordings may be given: the same figures, to the bit."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from calls import Seqflow

from seqflow.checkpoint import read_checkpoint
from seqflow.jobs.corruption_material import gather_normal
from seqflow.jobs.sample_material import of_folder
from seqflow.model import Model
from seqflow_cli.main import run

RECIPE = """
name: packed
data:
  kind: {kind}
  root: {root}
  window: 64
  hop: 32
  split: {{valid: 0.2, calibration: 0.3}}
{keys}
model:
  layers:
    - kind: standardize
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
{condition}
train: {{batch: 4, steps: 4, warmup: 1, validate_every: 2, validate_windows: 8, log_every: 2, threads: 1}}
"""


def write_sounds(root: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(12):
        path = root / "ab"[i % 2] / f"m{i}-{'xy'[i // 2 % 2]}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, 0.1 * rng.standard_normal(900 + 10 * i), 8000, subtype="FLOAT" if i == 5 else "PCM_16")
    content = (root / "a/m4-x.wav").read_bytes()
    (root / "a/m4-x.wav").write_bytes(content[:-400])


def write_tables(root: Path) -> None:
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    for i in range(9):
        odd = np.zeros(700, bool)
        odd[300:330] = i > 4
        values = np.round(rng.standard_normal((700, 2)) + 6.0 * odd[:, None], 3)
        order = "left,right" if i != 3 else "right,left"
        seconds = np.arange(700) + 500.0 * (np.arange(700) > 350) * (i == 6)
        rows = [f"{t:.0f},{a},{b},{int(o)}" for t, (a, b), o in zip(seconds, values, odd, strict=True)]
        (root / f"{i}.csv").write_text(f"time,{order},odd\n" + "\n".join(rows) + "\n")


KINDS = {
    "audio": (write_sounds, "  conditions: {load: {path: '-([xy])[.]wav$'}}", "  condition: [load]"),
    "series": (write_tables, "  label: odd\n  irregular: split\n  rate: 1.0", ""),
}


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `loose`, `shards` of it, a recipe, and a run trained from the files."""
    folder = tmp_path_factory.mktemp(request.param)
    write, keys, condition = KINDS[request.param]
    write(folder / "loose")
    text = RECIPE.format(kind=request.param, root=folder / "loose", keys=keys, condition=condition)
    (folder / "recipe.yaml").write_text(text)
    recipe = str(folder / "recipe.yaml")
    assert run(["data", "pack", recipe, "--out", str(folder / "shards")]) == 0
    assert run(["train", recipe, "--out", str(folder / "run"), "--device", "cpu"]) == 0
    return folder


def without(rows: list[Any], *keys: str) -> list[Any]:
    return [{key: value for key, value in row.items() if key not in keys} for row in rows]


def test_scores_are_those_of_the_files(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    found = []
    for root in ("loose", "shards"):
        out = tmp_path / root
        result = seqflow("score", made / "run", made / root, "--out", out, "--samples", "--json")
        assert result.code == 0, result.err
        assert all(str(made / root) in row["path"] for row in result.json_lines)
        tracks = {path.relative_to(out): path.read_bytes() for path in sorted(out.rglob("*.npy"))}
        found.append((without(result.json_lines, "path"), tracks))
    assert found[0] == found[1]
    assert len(found[0][0]) > 8 and len(found[0][1]) == len(found[0][0])


def test_packed_and_loose_side_by_side_have_names_of_their_own(seqflow: Seqflow, made: Path) -> None:
    rows = seqflow("score", made / "run", made / "loose", made / "shards", "--json").json_lines
    names = [row["name"] for row in rows]
    assert len({*names}) == len(names)
    halves = [sorted(name for name in names if name.startswith(root)) for root in ("loose/", "shards/")]
    assert [name.removeprefix("loose/") for name in halves[0]] == [
        name.removeprefix("shards/") for name in halves[1]
    ]


def test_calibrations_are_those_of_the_files(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    said, tensors = [], []
    for root in ("loose", "shards"):
        out = tmp_path / root
        result = seqflow("calibrate", made / "run", made / root, "--out", out, "--alarm-rate", "0.3")
        said.append((result.code, result.err.replace(root, ""), result.out.replace(root, "")))
        found, _ = read_checkpoint(out / "best.safetensors", "seqflow-model")
        tensors.append({key: tensor.numpy().tobytes() for key, tensor in found.items()})
    assert said[0] == said[1]
    assert "took part in the training" in said[0][1]
    assert tensors[0] == tensors[1]
    both = seqflow("calibrate", made / "run", made / "loose", made / "shards", "--out", tmp_path / "both")
    assert "has the same content as " in both.err


def test_a_batch_is_that_of_the_files(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    tables = []
    for root in ("loose", "shards"):
        out = tmp_path / root
        result = seqflow("batch", made / "run", made / root, "--out", out, "--workers", "1")
        assert result.code == 0, result.err
        with (out / "scores.csv").open(newline="") as file:
            tables.append(without(list(csv.DictReader(file)), "path"))
    assert tables[0] == tables[1] and len(tables[0]) > 8
    again = seqflow("batch", made / "run", made / "shards", "--out", tmp_path / "shards", "--json")
    assert again.json_lines[-1]["reused"] == again.json_lines[-1]["inputs"] > 8


def test_figures_of_recordings_are_those_of_the_files(seqflow: Seqflow, made: Path) -> None:
    rows = [seqflow("data", "inspect", made / root, "--json").json_lines for root in ("loose", "shards")]
    assert seqflow("data", "inspect", made / "shards").code == 0
    if "audio" in made.name:
        assert without(rows[0], "path", "name") == without(rows[1], "path", "name")
    else:
        # Stretches between gaps are shown one by one.
        assert [row["name"] for row in rows[1]][5:9] == ["5.csv", "6.csv#1", "6.csv#2", "7.csv"]


def test_benchmarks_take_them(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    model = Model.load(made / "run")
    loose, packed = (of_folder(model, made / root)[0] for root in ("loose", "shards"))
    assert [one.path.replace("loose", "shards") for one in loose] == [one.path for one in packed]
    for one, other in zip(loose, packed, strict=True):
        assert one.read(0, one.length).values.tobytes() == other.read(0, one.length).values.tobytes()
    if "audio" in made.name:
        with pytest.raises(Exception, match="passed over: the run was trained"):
            gather_normal(model, made / "shards", None)
        return
    calibrated = tmp_path / "run"
    words = ["calibrate", made / "run", made / "loose", "--alarms-per-hour", "60", "--out", calibrated]
    assert seqflow(*words).code in (0, 3)
    told = []
    for root in ("loose", "shards"):
        words = ["benchmark", "events", calibrated, made / root, "--alarms-per-hour", "60"]
        assert seqflow(*words, "--out", tmp_path / root).code == 0
        told.append(json.loads((tmp_path / root / "events.json").read_text()))
    assert told[0] == told[1] and told[0]["recordings"] > 4


def test_what_was_packed_otherwise_is_refused_in_a_line(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    recipe, key = made / "recipe.yaml", "audio" in made.name
    change = "data.channels=mono" if key else "data.irregular=mask"
    other = tmp_path / "other"
    assert seqflow("data", "pack", recipe, "--set", change, "--out", other).code == 0
    name = change.partition("=")[0]
    for words in (["score"], ["batch", "--out", tmp_path / "out"]):
        result = seqflow(words[0], made / "run", other, *words[1:])
        assert result.code == 2
        assert result.err.startswith(f"{name}: the shards in {other} were packed with "), result.err
        assert result.err.count("\n") == 1
    inspected = seqflow("data", "inspect", other, "--recipe", recipe)
    assert (inspected.code, inspected.err.startswith(f"{name}: the shards in ")) == (2, True)
    detected = seqflow("detect", made / "shards")
    assert detected.code == 2 and "holds shards, which keep no times" in detected.err


@pytest.mark.parametrize("made", ["audio"], indirect=True)  # tables have the rate of the recipe
def test_another_rate_is_refused_for_each(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    root = tmp_path / "loose"
    root.mkdir()
    for rate in (8000, 11025):
        sf.write(root / f"{rate}-x.wav", 0.1 * np.random.default_rng(rate).standard_normal(900), rate)
    words = ["data", "pack", made / "recipe.yaml", "--set", f"data.root={root}", "--out", tmp_path / "shards"]
    assert seqflow(*words).code == 0
    result = seqflow("score", made / "run", tmp_path / "shards", "--json")
    assert result.code == 3
    assert [row["status"] for row in result.json_lines] == ["wrong_rate", "ok"]
    assert "was packed at 11025 Hz, not 8000 Hz; pack anew with data.rate: 8000" in result.out


def test_damage_is_a_line_and_an_exit_code(seqflow: Seqflow, made: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    assert seqflow("data", "pack", made / "recipe.yaml", "--out", shards).code == 0
    kept = (shards / "shard-00000.arrow").read_bytes()
    flipped = bytearray(kept)
    flipped[len(kept) // 2] ^= 8
    (shards / "shard-00000.arrow").write_bytes(flipped)
    result = seqflow("score", made / "run", shards, "--json")
    assert result.code == 3
    assert [row["status"] for row in result.json_lines].count("corrupt") == 1
    (shards / "shard-00000.arrow").unlink()
    result = seqflow("score", made / "run", shards)
    assert result.code == 4 and "shard-00000.arrow" in result.err + result.out
    result = seqflow("batch", made / "run", shards, "--out", tmp_path / "out")
    assert result.code == 3 and result.err.count("\n") == 1
    assert "shard-00000.arrow: unreadable: no such file" in result.err
    result = seqflow("data", "inspect", shards)
    assert result.code == 4
