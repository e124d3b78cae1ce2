"""`seqflow data pack`: trainings and scores from shards are those from the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from calls import Seqflow

from seqflow.checkpoint import read_checkpoint
from seqflow_cli.main import run

RECIPE = """
name: packed
data:
  kind: audio
  root: {root}
  window: 64
  hop: 32
  split: {{test: ["c/*"], valid: 0.2, calibration: 0.3, group: '(m[0-9]+)-'}}
  augment: {{gain_db: [-3.0, 3.0], polarity: true, shift: 20}}
  conditions: {{load: {{path: '-([ab])[.]wav$'}}}}
model:
  condition: [load]
  layers:
    - kind: standardize
    - {{kind: whitening, taps: 4}}
    - kind: squeeze
    - {{kind: affine_coupling, conditioner: {{kind: conv, hidden: 4, layers: 1, kernel: 3}}}}
train: {{batch: 4, steps: 6, warmup: 1, validate_every: 3, validate_windows: 8, log_every: 2, threads: 1}}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings below, a file that is none, and a recipe beside them."""
    root = tmp_path_factory.mktemp("pack") / "loose"
    rng = np.random.default_rng(0)
    for i in range(14):
        path = root / "abc"[i // 2 % 3] / f"m{i // 2}-{'ab'[i % 2]}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, 0.1 * rng.standard_normal(700 + 10 * i), 8000)
    root.with_name("recipe.yaml").write_text(RECIPE.format(root=root))
    return root


@pytest.fixture(scope="module")
def shards(files: Path) -> Path:
    out = files.with_name("shards")
    assert run(["data", "pack", str(files.with_name("recipe.yaml")), "--out", str(out)]) == 0
    return out


def train(out: Path, recipe: Path, *sets: str, resume: bool = False) -> dict[str, bytes]:
    """Weights and what else is saved, by name, without the recipe and the clock."""
    words = [word for one in sets for word in ("--set", one)]
    command = ["train", str(recipe), "--out", str(out), "--device", "cpu", *words]
    assert run([*command, *["--resume"] * resume]) == 0
    tensors = {}
    for name, kind in (("best", "seqflow-model"), ("last", "seqflow-training")):
        found, about = read_checkpoint(out / f"{name}.safetensors", kind)
        tensors |= {f"{name}.{key}": tensor.numpy().tobytes() for key, tensor in found.items()}
        assert found and about
    return tensors


@pytest.mark.parametrize(
    "sets",
    [(), ("data.cache=false", "train.workers=2"), ("data.split={by: time, valid: 0.2, calibration: 0.2}",)],
)
def test_training_from_shards_is_training_from_files(
    seqflow: Seqflow, files: Path, shards: Path, tmp_path: Path, sets: tuple[str, ...]
) -> None:
    recipe = files.with_name("recipe.yaml")
    loose = train(tmp_path / "loose", recipe, *sets)
    packed = train(tmp_path / "shards", recipe, *sets, f"data.root={shards}")
    assert loose == packed
    rows = [
        seqflow("score", tmp_path / run_, files / "c", "--json").json_lines for run_ in ("loose", "shards")
    ]
    assert rows[0] and rows[0] == rows[1]


def test_a_run_goes_on_with_shards_where_files_began_it(files: Path, shards: Path, tmp_path: Path) -> None:
    recipe = files.with_name("recipe.yaml")
    train(tmp_path / "a", recipe, "train.steps=3")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    loose = train(tmp_path / "a", recipe, resume=True)
    packed = train(tmp_path / "b", recipe, f"data.root={shards}", resume=True)
    assert loose == packed


def test_training_data_are_known_as_such(seqflow: Seqflow, files: Path, shards: Path, tmp_path: Path) -> None:
    recipe = files.with_name("recipe.yaml")
    said = []
    for root in (files, shards):
        out = tmp_path / root.name
        train(out, recipe, f"data.root={root}")
        said.append(seqflow("calibrate", out, files / "a", files / "b", "--out", tmp_path / f"{root.name}-c"))
    assert said[0].code == said[1].code
    assert "train" in said[0].err + said[0].out
    assert said[0].err.replace("loose", "shards") == said[1].err.replace("loose", "shards")


def test_what_it_says(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    recipe, out = files.with_name("recipe.yaml"), tmp_path / "deep" / "out"
    told = seqflow("data", "pack", recipe, "--out", out, "--json")
    assert told.code == 0
    assert {key: told.json[key] for key in ("recordings", "shards", "left_out")} == {
        "recordings": 14,
        "shards": 1,
        "left_out": [],
    }
    assert sorted(path.name for path in out.iterdir()) == ["index.arrow", "shard-00000.arrow", "shards.json"]
    again = seqflow("data", "pack", recipe, "--out", out)
    assert again.code == 2 and "is there already, and not empty" in again.err
    checked = seqflow("check", recipe, "--set", f"data.root={out}")
    assert checked.code == 0, checked.err


def test_what_is_left_out_and_what_is_not_alike_is_said(
    seqflow: Seqflow, files: Path, tmp_path: Path
) -> None:
    root = tmp_path / "loose"
    shutil.copytree(files, root)
    (root / "a/bad.wav").write_text("no sound")
    sf.write(root / "a/m9-a.wav", np.zeros((900, 2)), 16000)
    result = seqflow(
        "data",
        "pack",
        files.with_name("recipe.yaml"),
        "--set",
        f"data.root={root}",
        "--out",
        tmp_path / "out",
    )
    assert result.code == 3
    assert "bad.wav: not_audio: " in result.err
    assert "there are recordings of 1 channel at 8000 Hz, 2 channels at 16000 Hz: " in result.err
    assert "15 recordings in 1 shard, " in result.err
    seen = json.loads((tmp_path / "out/shards.json").read_text())
    assert len(seen["shards"]) == 1


def test_nothing_to_pack(seqflow: Seqflow, files: Path, tmp_path: Path) -> None:
    recipe, out = files.with_name("recipe.yaml"), tmp_path / "out"
    made_up = seqflow("data", "pack", "toy/sine", "--out", out)
    assert made_up.code == 2 and made_up.err.startswith("data.kind: synthetic: ")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/x.wav").write_text("no sound")
    none = seqflow("data", "pack", recipe, "--set", f"data.root={tmp_path / 'bad'}", "--out", out)
    assert none.code == 4 and "none of 1 files can be used" in none.err
    assert not out.exists()
