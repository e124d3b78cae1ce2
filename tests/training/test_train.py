"""What a training does with good data and bad data."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from runs import Told, assert_same_run, make_material, make_recipe, read_log, recordings, train_small
from torch import Tensor

from seqflow.data.batch import Batch
from seqflow.data.dataset import Windows
from seqflow.data.recording import ArrayRecording
from seqflow.errors import InputError, SeqflowError, UsageError
from seqflow.lock import lock
from seqflow.model import Model
from seqflow.recipe import Recipe, load
from seqflow.training import (
    Calibrated,
    Finished,
    LeftOut,
    Skipped,
    Started,
    Step,
    Uncalibrated,
    Validated,
    Warned,
)
from seqflow.training.material import Material
from seqflow.training.step import accumulate


def test_a_training_learns_and_leaves_a_model(tmp_path: Path) -> None:
    told = Told()
    out = tmp_path / "runs" / "a"
    model = train_small(out, "train.steps=60", "train.validate_every=20", on_event=told)
    validated = told.of(Validated)
    assert [v.step for v in validated] == [0, 20, 40, 60]
    assert validated[-1].nats < validated[0].nats - 0.005
    assert validated[-1].bits == pytest.approx(validated[-1].nats / math.log(2) + 8, abs=1e-6)
    assert all(v.round_trip_float64 < 1e-10 < v.round_trip_float32 < 1e-4 for v in validated)
    # Better than white noise of the same level would be, by what the resonance gives away.
    assert validated[-1].nats < 0.5 * math.log(2 * math.pi * math.e) - 0.5

    assert [e.step for e in told.of(Step)] == list(range(1, 61))
    assert told.of(Step)[-1].eta_seconds == 0.0
    assert told.events[0] == told.of(Started)[0]
    assert told.events[-1] == told.of(Finished)[0]
    assert {p.name for p in out.iterdir()} == {
        ".lock", "recipe.yaml", "log.jsonl", "last.safetensors", "best.safetensors",
    }  # fmt: skip
    assert load(out / "recipe.yaml") == make_recipe("train.steps=60", "train.validate_every=20")

    found = Model.load(out)
    x = torch.randn(4, 1, 32)
    assert torch.equal(found.log_prob(x), model.log_prob(x))
    assert found.info == model.info
    assert found.info["steps"] == told.of(Finished)[0].step
    assert found.info["valid_nats"] == min(v.nats for v in validated)
    assert found.calibration is not None
    assert len(found.calibration) == told.of(Calibrated)[0].units
    assert (found.channel_names, found.rate, found.step) == (("a",), 100.0, 2.0**-8)

    log = read_log(out)
    assert [line["event"] for line in log if line["event"] != "step"] == [
        "started", "validated", "validated", "validated", "validated", "calibrated", "finished",
    ]  # fmt: skip
    assert [line["step"] for line in log if line["event"] == "step"] == list(range(2, 61, 2))


def test_a_training_that_fails_before_its_first_step_leaves_nothing(tmp_path: Path) -> None:
    def material(recipe: Recipe) -> Material:
        raise InputError("x.wav", "silent", "no sound")

    with pytest.raises(InputError):
        train_small(tmp_path / "runs" / "a", material=material)
    assert not list(tmp_path.iterdir())
    with lock(tmp_path / "b"), pytest.raises(UsageError, match="in use by another run"):
        train_small(tmp_path / "b")


def test_equal_trainings_give_equal_bits_and_leave_torch_as_it_was(tmp_path: Path) -> None:
    train_small(tmp_path / "a")
    torch.manual_seed(99)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train_small(tmp_path / "b")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    train_small(tmp_path / "c", "seed=4")
    assert read_log(tmp_path / "c")[2] != read_log(tmp_path / "a")[2]


def test_the_size_of_micro_batches_does_not_matter(tmp_path: Path) -> None:
    """But for rounding: the noise belongs to the window."""
    whole = train_small(tmp_path / "a")
    parts = train_small(tmp_path / "b", "train.micro_batch=2")
    for key, tensor in whole.flow.state_dict().items():
        torch.testing.assert_close(tensor, parts.flow.state_dict()[key], rtol=2e-3, atol=2e-4)


def test_conditioners_may_compute_in_bf16(tmp_path: Path) -> None:
    """The weights stay in float32, and the inverse in float64 stays exact."""
    told = Told()
    model = train_small(tmp_path / "a", "train.precision=bf16", on_event=told)
    assert {p.dtype for p in model.flow.parameters()} == {torch.float32}
    assert all(v.best and v.round_trip_float64 < 1e-10 for v in told.of(Validated)[:1])
    exact = train_small(tmp_path / "b")
    x = torch.randn(4, 1, 32)
    assert not torch.equal(model.log_prob(x), exact.log_prob(x))


def test_continuous_data_have_no_bits(tmp_path: Path) -> None:
    told = Told()

    def material(recipe: Recipe) -> Material:
        return make_material(recipe, train=recordings(4, step=None))

    model = train_small(tmp_path / "a", material=material, on_event=told)
    assert model.step is None
    assert all(step.bits is None for step in told.of(Step))


def test_missing_samples_are_learned_around(tmp_path: Path) -> None:
    def material(recipe: Recipe) -> Material:
        holes = recordings(4)
        for recording in holes:
            recording.values[:, 100:103] = np.nan
            recording.values[:, 200] = np.inf
        return make_material(recipe, train=holes)

    told = Told()
    train_small(tmp_path / "a", material=material, on_event=told)
    assert told.of(Skipped) == []
    # A window on a hole gives fewer samples.
    assert told.of(Finished)[0].nats < 1.0


def test_it_stops_when_nothing_is_gained(tmp_path: Path) -> None:
    told = Told()
    # At this rate the weights soon leave the good ones for ever.
    train_small(
        tmp_path / "a", "train.lr=1.0", "train.patience=2", "train.steps=200", "train.warmup=0", on_event=told
    )
    finished = told.of(Finished)[0]
    validated = told.of(Validated)
    assert finished.stopped_early
    assert [v.best for v in validated[-2:]] == [False, False]
    assert finished.step == [v.step for v in validated if v.best][-1]
    assert finished.nats == min(v.nats for v in validated)
    assert len(told.of(Step)) < 200


def test_a_model_that_does_not_invert_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqflow.training.validate.TOLERANCE", 0.0)
    told = Told()
    with pytest.raises(SeqflowError, match="no validation found weights fit to keep"):
        train_small(tmp_path / "a", on_event=told)
    assert not (tmp_path / "a" / "best.safetensors").exists()
    assert all(not v.best and "round-trip error" in v.reason for v in told.of(Validated))


def test_without_recordings_to_calibrate_on(tmp_path: Path) -> None:
    told = Told()
    model = train_small(
        tmp_path / "a", material=lambda recipe: make_material(recipe, calibration=0), on_event=told
    )
    assert model.calibration is None
    assert Model.load(tmp_path / "a").calibration is None
    assert "data.split.calibration" in told.of(Uncalibrated)[0].reason
    assert read_log(tmp_path / "a")[-2]["event"] == "uncalibrated"


def test_recordings_that_cannot_calibrate(tmp_path: Path) -> None:
    def material(recipe: Recipe) -> Material:
        return replace(make_material(recipe), calibration=[ArrayRecording(np.zeros(200), name="flat")])

    told = Told()
    assert train_small(tmp_path / "a", material=material, on_event=told).calibration is None
    assert "flat" in told.of(Uncalibrated)[0].reason


def test_too_small_a_calibration_is_told_before_and_after_the_training(tmp_path: Path) -> None:
    told = Told()
    model = train_small(
        tmp_path / "a",
        "score.alarm_rate=0.02",
        material=lambda recipe: make_material(recipe, calibration=2),
        on_event=told,
    )
    before, after = (event.message for event in told.of(Warned))
    # 300 samples hold 9 windows of 32 that share no sample.
    assert "0.02 cannot be promised: the calibration data make 18 blocks, enough for 0.0527" in before
    assert "an alarm rate of 0.0527 or more" in after
    assert model.calibration is not None and len(model.calibration) == 18
    assert told.events.index(told.of(Warned)[0]) < told.events.index(told.of(Step)[0])

    enough = Told()
    train_small(
        tmp_path / "b",
        "score.alarm_rate=0.0527",
        material=lambda recipe: make_material(recipe, calibration=2),
        on_event=enough,
    )
    assert enough.of(Warned) == []


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    def material(recipe: Recipe) -> Material:
        return replace(make_material(recipe), left_out=[InputError("a.wav", "silent", "is silent")])

    told = Told()
    model = train_small(tmp_path / "a", material=material, on_event=told)
    assert told.of(LeftOut) == [LeftOut("a.wav", "silent", "is silent")]
    assert model.info["left_out"] == 1


@pytest.mark.parametrize(
    ("train", "overrides", "match"),
    [
        ([ArrayRecording(np.full(400, 3.0))], [], "are constant"),
        (recordings(1, length=40), [], "train.batch: 8 windows are more than the 2"),
        (recordings(3, length=20), [], "no training recording is as long as a window"),
        ([], [], "no training recording is as long as a window"),
    ],
)
def test_too_little_data_is_an_error(
    tmp_path: Path, train: list[ArrayRecording], overrides: list[str], match: str
) -> None:
    def material(recipe: Recipe) -> Material:
        return make_material(recipe, train=train)

    with pytest.raises(UsageError, match=match):
        train_small(tmp_path / "a", *overrides, material=material)


def test_nothing_to_validate_on_is_an_error(tmp_path: Path) -> None:
    def material(recipe: Recipe) -> Material:
        good = make_material(recipe)
        return replace(good, valid=Windows([], window=32, hop=32))

    with pytest.raises(UsageError, match=r"data\.split\.valid"):
        train_small(tmp_path / "a", material=material)


def test_a_channel_that_never_moves_is_named(tmp_path: Path) -> None:
    def both(given: list[ArrayRecording]) -> list[ArrayRecording]:
        return [
            ArrayRecording(np.concatenate([r.values, np.full_like(r.values, 5.0)]), step=r.step)
            for r in given
        ]

    def material(recipe: Recipe) -> Material:
        return replace(
            make_material(recipe, train=both(recordings(4))),
            valid=Windows(both(recordings(2, seed=1)), window=32, hop=32),
            calibration=[],
            channel_names=("moves", "dead"),
        )

    told = Told()
    train_small(tmp_path / "a", material=material, on_event=told)
    assert "dead never moved" in told.of(Warned)[0].message


def test_a_model_with_nothing_to_train_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing in this model can be trained"):
        train_small(tmp_path / "a", "model={layers: [{kind: standardize}]}")


def test_tensorboard_gets_the_figures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing import event_accumulator

    train_small(tmp_path / "a", "train.tensorboard=true")
    found = event_accumulator.EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    found.Reload()
    assert [e.step for e in found.Scalars("valid/nats")] == [0, 4, 8, 12]
    figures = [line["nats"] for line in read_log(tmp_path / "a") if line["event"] == "step"]
    assert [e.value for e in found.Scalars("train/nats")] == pytest.approx(figures, rel=1e-6)


def test_absent_tensorboard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"seqflow-audio\[tensorboard\]"):
        train_small(tmp_path / "a", "train.tensorboard=true")


def test_the_whole_batch_counts_whatever_its_parts(tmp_path: Path) -> None:
    from seqflow.training.assemble import new_flow

    recipe = make_recipe()
    material = make_material(recipe)
    flow = new_flow(recipe, material).double().eval()
    batch = material.train.batch(0, 8)
    mask = batch.mask.clone()
    mask[2, 5:] = False
    batch = Batch(batch.x.double(), mask, batch.position, batch.step)
    gradients: list[list[Tensor]] = []
    for size in (8, 3, 1):
        loss = accumulate(flow, batch, size)
        gradients.append([p.grad.clone() for p in flow.parameters() if p.grad is not None])
        assert loss.samples == int(mask.sum())
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-9, atol=1e-12)
