"""Trainings of models with conditions: they learn them, and resume to the bit."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from runs import Told, assert_same_run, recordings, stop_at, train_small

from seqflow.checkpoint import read_checkpoint, write_checkpoint
from seqflow.classes import Classes
from seqflow.data.batch import Batch
from seqflow.data.dataset import Windows
from seqflow.data.recording import ArrayRecording
from seqflow.errors import CheckpointError, Interrupted, SeqflowError, UsageError
from seqflow.model import Model
from seqflow.recipe import Recipe, load
from seqflow.training import Warned
from seqflow.training.loop import BAD_BATCH
from seqflow.training.material import (
    Material,
    common_step,
    held_back_windows,
    load_material,
    train_windows,
)

OPTIONS = (
    "data.conditions={load: {path: x(.)}, digit: {path: x(.)}}",
    "model.condition=[load, digit]",
    "train.condition_dropout=0.3",
)


def declared(count: int, seed: int = 0, loads: str = "hl") -> list[ArrayRecording]:
    found = recordings(count, seed)
    for index, recording in enumerate(found):
        recording.conditions = {"load": loads[index % len(loads)], "digit": str(index % 3)}
    return found


def material(recipe: Recipe, loads: str = "hl", held_back: str = "hl") -> Material:
    train = declared(4, loads=loads)
    classes = Classes.of(recipe.model.condition, [recording.conditions for recording in train])
    return Material(
        train=train_windows(recipe, train, classes),
        valid=held_back_windows(recipe, declared(2, 1, held_back), classes),
        calibration=declared(6, 2),
        fingerprint=f"ab{loads}",
        channel_names=("a",),
        rate=100.0,
        step=common_step(train),
        classes=classes,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    train_small(out, *OPTIONS, material=material)
    return out


@pytest.mark.parametrize(("step", "workers"), [(3, 0), (9, 2)])
def test_a_stopped_training_goes_on_to_the_bit(tmp_path: Path, whole: Path, step: int, workers: int) -> None:
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        options = (*OPTIONS, f"train.workers={workers}")
        train_small(out, *options, material=material, on_event=stop_at(step, signal.SIGINT))
    train_small(out, *OPTIONS, material=material, resume=True)
    assert_same_run(out, whole)


def test_the_model_knows_its_conditions(whole: Path, tmp_path: Path) -> None:
    model = Model.load(whole)
    assert model.classes == Classes({"load": ("h", "l"), "digit": ("0", "1", "2")})
    matrices = [p for name, p in model.flow.named_parameters() if "modulate" in name or "offset" in name]
    assert len(matrices) == 4 and all(bool((p != 0).any()) for p in matrices)
    x = torch.randn(2, 1, 32, generator=torch.Generator().manual_seed(0))
    told, untold = model.log_prob(x, condition={"load": "h", "digit": "2"}), model.log_prob(x)
    assert not torch.equal(told, untold)
    zeros = {"condition": torch.zeros(2, 5), "step": torch.full((2,), 2.0**-8)}
    assert torch.equal(untold, model.log_prob(x, {**zeros, "position": torch.zeros(2, dtype=torch.int64)}))
    one, other = (model.sample(1, 32, condition=c) for c in ({"load": "h"}, {"load": "l"}))
    assert not torch.equal(one, other) and torch.equal(one, model.sample(1, 32, condition={"load": "h"}))
    # What is held back for the thresholds keeps what is declared about it.
    assert model.calibration is not None
    declared = model.calibration.declared
    assert {name: len(values) for name, values in declared.items()} == {
        name: len(model.calibration) for name in ("digit", "load")
    }
    pairs = set(zip(declared["load"], declared["digit"], strict=True))
    assert pairs == {(load, digit) for load in "hl" for digit in "012"}
    model.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (whole / "best.safetensors").read_bytes()


def test_what_the_model_does_not_know_is_refused(whole: Path) -> None:
    model = Model.load(whole)
    for call in (
        lambda c: model.sample(1, condition=c),
        lambda c: model.log_prob(torch.zeros(1, 1, 32), None, c),
    ):
        with pytest.raises(UsageError, match="there are h, l"):
            call({"load": "high"})
        with pytest.raises(UsageError, match="there are load, digit"):
            call({"speed": "h"})
    with pytest.raises(UsageError, match="leave one out"):
        model.log_prob(torch.zeros(1, 1, 32), {}, {"load": "h"})


def test_a_model_whose_values_do_not_fit_its_weights_is_refused(whole: Path, tmp_path: Path) -> None:
    tensors, meta = read_checkpoint(whole / "best.safetensors")
    path = tmp_path / "a.safetensors"
    for conditions, match in [
        ({"load": ["h"], "digit": ["0", "1", "2"]}, "size mismatch"),
        ({"load": ["h", "l"]}, r"model\.condition: needs the values"),
        ({}, r"model\.condition: needs the values"),
        (3, "no model of this program"),
    ]:
        write_checkpoint(path, tensors, {**meta, "conditions": conditions})
        with pytest.raises(CheckpointError, match=match):
            Model.load(path)


def test_other_values_are_another_training(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(Interrupted):
        train_small(out, *OPTIONS, material=material, on_event=stop_at(5))
    for loads, what in [("hlm", "'m' is new"), ("hm", "'l' is gone"), ("h", "'l' is gone")]:
        with pytest.raises(UsageError, match=rf"data\.conditions\.load: .*{what}"):
            train_small(
                out,
                *OPTIONS,
                material=lambda recipe, loads=loads: material(recipe, loads),
                resume=True,
                allow_data_change=True,
            )
    changed = "data.conditions={load: {path: x(..)}, digit: {path: x(.)}}"
    with pytest.raises(
        UsageError, match=r"data\.conditions\.load\.path: the run was begun with x\(\.\), not"
    ):
        train_small(out, changed, *OPTIONS[1:], material=material, resume=True)


def test_values_that_only_held_back_recordings_have_are_named(tmp_path: Path) -> None:
    told = Told()
    train_small(tmp_path / "run", *OPTIONS, material=lambda r: material(r, held_back="hx"), on_event=told)
    messages = [event.message for event in told.of(Warned)]
    assert any(
        "data.conditions: of 1 held-back recording not all" in m and "r1: load 'x'" in m for m in messages
    )


class Poisoned(Windows):
    """Its batches hold a sample that is not finite."""

    def batch(self, step: int, size: int, share: range | None = None) -> Batch:
        batch = super().batch(step, size, share)
        batch.x[0, 0, 3] = float("inf")
        return batch


def test_a_bad_batch_is_kept_with_its_condition(tmp_path: Path) -> None:
    def broken(recipe: Recipe) -> Material:
        found = material(recipe)
        train = Poisoned(declared(4), window=32, hop=8, classes=found.classes)
        return replace(found, train=train)

    with pytest.raises(SeqflowError, match="not finite"):
        train_small(tmp_path / "run", *OPTIONS, "train.max_bad_steps=1", material=broken)
    tensors, _ = read_checkpoint(tmp_path / "run" / BAD_BATCH)
    assert tensors["condition"].shape == (8, 5)


def test_a_recipe_finds_its_classes(tmp_path: Path) -> None:
    found = load_material(load("toy/pitches", ["data.recordings=12"]))
    assert found.classes == Classes({"pitch": ("a", "b", "c")})
    assert found.train.classes == found.valid.classes == found.classes
    first = json.dumps(found.train.batch(3, 8).tensors()["condition"].tolist())
    again = load_material(load("toy/pitches", ["data.recordings=12"])).train.batch(3, 8)
    assert first == json.dumps(again.tensors()["condition"].tolist())
