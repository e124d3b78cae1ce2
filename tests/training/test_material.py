"""A training from a recipe alone: its data are found, parted and cut as the recipe says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from runs import TEXT, Told, assert_same_run, stop_at, train_small

from seqflow.errors import Interrupted, UsageError
from seqflow.model import Model
from seqflow.recipe import Recipe, parse
from seqflow.training import Calibrated, LeftOut, Started, Warned, train
from seqflow.training.material import load_material


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    root = tmp_path / "data"
    root.mkdir()
    for index in range(8):
        values = np.random.default_rng(index).normal(size=(400, 2)).cumsum(axis=0).round(2)
        lines = [",".join(map(str, row)) for row in values.tolist()]
        (root / f"s{index}.csv").write_text("left,right\n" + "\n".join(lines) + "\n")
    (root / "short.csv").write_text("left,right\n1,2\n3,4\n")
    return parse(
        TEXT,
        overrides=[
            f"data.root={root}",
            "data.time=null",
            "data.rate=10.0",
            "data.augment={}",
            "train.steps=4",
            "train.batch=4",
        ],
    )


def test_the_parts_are_what_the_recipe_says(recipe: Recipe) -> None:
    material = load_material(recipe)
    assert (material.train.channels, material.rate, material.channel_names) == (2, 10.0, ("left", "right"))
    # Windows overlap to train on, and lie side by side to validate on.
    assert len(material.train) == len(material.train.recordings) * 47
    assert len(material.valid) == len(material.valid.recordings) * 13
    assert [error.code for error in material.left_out] == ["too_short"]
    names = [{r.name for r in part} for part in (material.train.recordings, material.calibration)]
    assert names[0].isdisjoint(names[1])


def test_train_stop_and_go_on(recipe: Recipe, tmp_path: Path) -> None:
    told = Told()
    model = train(recipe, tmp_path / "a", device="cpu", on_event=told)
    assert [e.code for e in told.of(LeftOut)] == ["too_short"]
    assert len(told.of(Calibrated)) == 1
    assert (model.channels, model.rate, model.channel_names) == (2, 10.0, ("left", "right"))
    assert model.info["left_out"] == 1
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "b", device="cpu", on_event=stop_at(2))
    train(recipe, tmp_path / "b", device="cpu", resume=True)
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_a_changed_file_is_noticed(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(recipe, tmp_path / "a", device="cpu", on_event=stop_at(2))
    file = next(Path(load_material(recipe).train.recordings[0].path).parent.glob("s*.csv"))
    names = {Path(r.path).name for r in load_material(recipe).train.recordings}
    file = file.with_name(min(names))
    file.write_text(file.read_text() + "1,2\n")
    with pytest.raises(UsageError, match="the data have changed"):
        train(recipe, tmp_path / "a", device="cpu", resume=True)
    told = Told()
    train(recipe, tmp_path / "a", device="cpu", resume=True, allow_data_change=True, on_event=told)
    assert "changed" in told.of(Warned)[0].message


def test_made_up_data(tmp_path: Path) -> None:
    data = "{kind: synthetic, generator: sensor, window: 32, recordings: 8, seconds: 200.0, channels: first}"
    recipe = parse(TEXT, overrides=[f"data={data}", "train.steps=4"])
    told = Told()
    train(recipe, tmp_path / "a", device="cpu", on_event=told)
    assert told.of(Started)[0].train_windows > 8
    assert Model.load(tmp_path / "a").calibration is not None


def test_an_unknown_device_is_an_error_before_anything_else(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="device"):
        train(recipe, tmp_path / "a", device="tpu")
    assert not (tmp_path / "a").exists()


@pytest.mark.cuda
def test_a_gpu_goes_on_to_the_bit(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        train_small(tmp_path / "a", device="cuda")
        with pytest.raises(Interrupted):
            train_small(tmp_path / "b", device="cuda", on_event=stop_at(6))
        train_small(tmp_path / "b", device="cuda", resume=True)
    assert_same_run(tmp_path / "a", tmp_path / "b")
