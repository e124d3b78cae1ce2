"""A training that is stopped, by whatever, goes on as if it had not been."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from runs import (
    Told,
    assert_same_run,
    assert_same_tensors,
    make_material,
    read_log,
    recordings,
    start,
    stop_at,
    train_small,
)

from seqflow import checkpoint
from seqflow.checkpoint import read_checkpoint, write_checkpoint
from seqflow.errors import CheckpointError, Interrupted, ResourceError, UsageError
from seqflow.model import Model
from seqflow.recipe import Recipe, load
from seqflow.training import Event, Finished, Saved, Started, Step, Validated, Warned
from seqflow.training.material import Material


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train_small(out)
    return out


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A finished run to change."""
    out = tmp_path / "copy"
    out.mkdir()
    for file in whole.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    return out


@pytest.mark.parametrize(
    ("step", "number", "workers"),
    [(1, signal.SIGINT, 0), (8, signal.SIGTERM, 0), (7, signal.SIGINT, 2), (12, signal.SIGTERM, 0)],
)
def test_a_signal_saves_and_the_rest_is_the_same(
    tmp_path: Path, whole: Path, step: int, number: signal.Signals, workers: int
) -> None:
    out = tmp_path / "a"
    told = stop_at(step, number)
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"after step {step} of 12; --resume") as caught:
        train_small(out, f"train.workers={workers}", on_event=told)
    assert caught.value.exit_code == 130
    assert signal.getsignal(number) == before
    assert told.events[-1] == Saved(step, out / "last.safetensors")
    told = Told()
    # The number of workers may change on the way.
    train_small(out, f"train.workers={2 if step == 8 else 0}", resume=True, on_event=told)
    assert told.of(Started)[0].step == step
    assert told.of(Started)[0].resumed
    assert [e.step for e in told.of(Step)] == list(range(step + 1, 13))
    assert_same_run(out, whole)


def test_a_second_signal_stops_at_once(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "a"

    class Impatient(Told):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Step) and event.step == 10:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGTERM)

    told = Impatient()
    with pytest.raises(Interrupted, match="stopped at once"):
        train_small(out, on_event=told)
    assert told.of(Step)[-1].step == 10
    assert read_checkpoint(out / "last.safetensors")[1]["progress"]["step"] == 8
    train_small(out, resume=True)
    assert_same_run(out, whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_at_any_moment_change_nothing(tmp_path: Path, whole: Path, workers: int) -> None:
    """Real processes, SIGKILL, again and again, saves included: it saves every other step."""
    rng = random.Random(time.time_ns())
    out = tmp_path / "killed"
    options = ("train.validate_every=2", f"train.workers={workers}")
    kills = 0
    while kills < 4:
        process = start(out, *options, resume=(out / "recipe.yaml").exists())
        # From before the first step to behind the last.
        process.join(timeout=0.1 + rng.random())
        if process.exitcode is not None:
            break
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
        # What lies there is whole.
        if (out / "last.safetensors").exists():
            read_checkpoint(out / "last.safetensors", "seqflow-training")
        if (out / "best.safetensors").exists():
            Model.load(out)
    train_small(out, *options, resume=out.exists() and (out / "recipe.yaml").exists())
    train_small(tmp_path / "whole", "train.validate_every=2")
    assert_same_run(out, tmp_path / "whole")
    assert not list(out.glob(".*.tmp"))


def test_a_run_stopped_before_its_first_checkpoint_begins_again(tmp_path: Path, whole: Path) -> None:
    class Dying(Told):
        def __call__(self, event: Event) -> None:
            if isinstance(event, Step) and event.step == 3:
                raise MemoryError

    out = tmp_path / "a"
    with pytest.raises(ResourceError):
        train_small(out, on_event=Dying())
    assert not (out / "last.safetensors").exists()
    assert len(read_log(out)) > 1
    (out / ".last.safetensors.abc.tmp").write_bytes(b"half")
    told = Told()
    train_small(out, resume=True, on_event=told)
    assert not told.of(Started)[0].resumed
    assert_same_run(out, whole)
    assert not (out / ".last.safetensors.abc.tmp").exists()


def test_a_kill_between_state_and_model_leaves_both_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of the second validation is saved, its model not yet."""
    out = tmp_path / "a"

    class Dying(Told):
        def __call__(self, event: Event) -> None:
            if isinstance(event, Saved) and event.step == 8:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_small(out, on_event=Dying())
    assert Model.load(out).info["steps"] == 4

    class Looking(Told):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Step) and event.step == 9:
                assert Model.load(out).info["steps"] == 8

    told = Looking()
    train_small(out, resume=True, on_event=told)
    assert told.of(Step)[0].step == 9


def test_a_full_disk_ends_it_and_room_lets_it_go_on(tmp_path: Path, whole: Path) -> None:
    """A limit that the kernel sets on the size of files."""
    out = tmp_path / "a"
    process = start(out, room=20000)
    process.join()
    assert process.exitcode == ResourceError.exit_code
    message = out.with_suffix(".error").read_text()
    assert "last.safetensors: cannot be written: no space left on the disk" in message
    assert read_checkpoint(out / "last.safetensors")[1]["progress"]["step"] == 4
    assert not list(out.glob(".*.tmp"))
    train_small(out, resume=True)
    assert_same_run(out, whole)


def test_a_full_disk_while_logging(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "a"
    process = start(out, room=20)
    process.join()
    assert process.exitcode == ResourceError.exit_code
    assert "log.jsonl: cannot be written: no space left" in out.with_suffix(".error").read_text()
    train_small(out, resume=True)
    assert_same_run(out, whole)


def test_a_worker_that_dies_ends_it(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "a"

    class Killing(Told):
        def __call__(self, event: Event) -> None:
            # Batches that are loaded already carry it on for four more steps at most.
            if isinstance(event, Step) and event.step == 3:
                for child in multiprocessing.active_children():
                    if child.pid is not None and child.daemon:
                        os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(ResourceError, match="a process that loads data died"):
        train_small(out, "train.workers=2", on_event=Killing())
    train_small(out, resume=True)
    assert_same_run(out, whole)


def test_a_finished_run_gives_its_model_at_once(copy: Path, whole: Path) -> None:
    def never(recipe: Recipe) -> NoReturn:
        raise AssertionError("the data were read")

    before = {file.name: file.read_bytes() for file in copy.iterdir() if file.name != ".lock"}
    told = Told()
    model = train_small(copy, resume=True, material=never, on_event=told)
    assert [type(event) for event in told.events] == [Finished]
    assert_same_tensors(model.flow.state_dict(), Model.load(whole).flow.state_dict())
    assert {file.name: file.read_bytes() for file in copy.iterdir() if file.name != ".lock"} == before


def test_a_finished_run_is_calibrated_anew_for_another_score(copy: Path) -> None:
    told = Told()
    model = train_small(copy, "score.smoothing=[1, 2]", resume=True, on_event=told)
    assert told.of(Step) == []
    assert model.calibration is not None
    assert model.calibration.smoothing == (1, 2)
    assert Model.load(copy).recipe.score.smoothing == (1, 2)


def test_a_lost_model_is_made_again(copy: Path, whole: Path) -> None:
    (copy / "best.safetensors").unlink()
    assert_same_tensors(train_small(copy, resume=True).flow.state_dict(), Model.load(whole).flow.state_dict())
    assert_same_tensors(*(read_checkpoint(out / "best.safetensors")[0] for out in (copy, whole)))


def test_more_steps_go_on_behind_the_last(copy: Path) -> None:
    told = Told()
    train_small(copy, "train.steps=20", resume=True, on_event=told)
    assert [e.step for e in told.of(Step)] == list(range(13, 21))
    assert [e.step for e in told.of(Validated)] == [16, 20]
    assert load(copy / "recipe.yaml").train.steps == 20
    with pytest.raises(UsageError, match=r"train\.steps: the run was begun with 20, not 12"):
        train_small(copy, resume=True)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("seed=4", "seed: the run was begun with 3, not 4"),
        ("train.lr=1e-3", r"train\.lr: .* 0\.005, not 0\.001"),
        ("train.clip=null", r"train\.clip: .* 1\.0, not null"),
        ("train.validate_every=5", r"train\.validate_every"),
        ("data.hop=4", r"data\.hop: .* 8, not 4"),
        ("data.split.valid=0.3", r"data\.split\.valid"),
        ("model.layers.2.taps=5", r"model\.layers\.2\.taps: .* 4, not 5"),
        ("model.layers.7={kind: squeeze}", r"model\.layers\.7\.kind: .* actnorm, not squeeze"),
        ("model.base={kind: normal}", r"model\.base\.kind: .* student_t, not normal"),
    ],
)
def test_another_training_is_refused_by_its_first_key(copy: Path, override: str, named: str) -> None:
    before = (copy / "last.safetensors").read_bytes()
    with pytest.raises(UsageError, match=named) as caught:
        train_small(copy, override, resume=True)
    assert "\n" not in str(caught.value)
    assert (copy / "last.safetensors").read_bytes() == before


def test_what_does_not_touch_the_weights_may_change(copy: Path) -> None:
    train_small(
        copy,
        "train.workers=1",
        "data.root=elsewhere",
        "data.cache=false",
        "sample.n=2",
        "name=other",
        resume=True,
    )
    assert Model.load(copy).recipe.name == "other"


@pytest.fixture
def half(tmp_path: Path) -> Path:
    out = tmp_path / "half"
    with pytest.raises(Interrupted):
        train_small(out, on_event=stop_at(10))
    return out


def other_data(recipe: Recipe) -> Material:
    return make_material(recipe, train=recordings(4, seed=9), fingerprint="cd34")


def test_other_data_are_refused(half: Path, whole: Path) -> None:
    with pytest.raises(UsageError, match=r"the data have changed.*--allow-data-change"):
        train_small(half, resume=True, material=other_data)
    # Nothing has happened to the run.
    train_small(half, resume=True)
    assert_same_run(half, whole)


def test_other_data_are_recorded_where_they_are_allowed(half: Path) -> None:
    told = Told()
    model = train_small(half, resume=True, material=other_data, allow_data_change=True, on_event=told)
    assert "data have changed" in told.of(Warned)[0].message
    assert {"event": "data_changed", "step": 10, "data_fingerprint": "cd34"} in read_log(half)
    assert model.info["data_fingerprint"] == "cd34"
    # From now on these are the data of the run.
    train_small(half, "train.steps=14", resume=True, material=other_data)


def test_data_with_more_channels_do_not_fit(half: Path) -> None:
    def material(recipe: Recipe) -> Material:
        import numpy as np

        from seqflow.data.dataset import Windows
        from seqflow.data.recording import ArrayRecording

        wide = [ArrayRecording(np.random.default_rng(i).normal(size=(3, 300))) for i in range(4)]
        return replace(make_material(recipe), train=Windows(wide, window=32, hop=8))

    with pytest.raises(CheckpointError, match=r"last.safetensors: does not fit its recipe"):
        train_small(half, resume=True, material=material)


def damage(path: Path) -> Iterator[str]:
    """Damages a file in one way after another; gives what must be said."""
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    yield "is cut short"
    bad = bytearray(good)
    bad[-100] ^= 4
    path.write_bytes(bad)
    yield "is damaged"
    path.write_bytes(b"")
    yield "is empty"
    path.write_bytes(good)
    tensors, meta = read_checkpoint(path)
    write_checkpoint(path, tensors, {**meta, "format": "seqflow-model"})
    yield "is a model, not the state of a training"
    write_checkpoint(path, tensors, {**meta, "progress": {"step": 3}})
    yield "no state of this program"
    write_checkpoint(path, {k: t for k, t in tensors.items() if "exp_avg_sq" not in k}, meta)
    yield "the optimiser's state of .* does not fit"
    write_checkpoint(path, {**tensors, "optimizer.step.other": tensors["flow.base.log_scale"]}, meta)
    yield "the optimiser's state is that of other parameters"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "VERSION", 7)
        write_checkpoint(path, tensors, meta)
    yield "has version 7, this program reads 1"


def test_a_damaged_checkpoint_is_refused_with_the_reason(half: Path) -> None:
    log = (half / "log.jsonl").read_bytes()
    for reason in damage(half / "last.safetensors"):
        with pytest.raises(CheckpointError, match=reason) as caught:
            train_small(half, resume=True)
        assert str(half / "last.safetensors") in str(caught.value)
        assert "\n" not in str(caught.value)
        assert (half / "log.jsonl").read_bytes() == log


def test_a_folder_with_a_run_needs_resume(copy: Path, tmp_path: Path) -> None:
    before = {file.name: file.read_bytes() for file in copy.iterdir() if file.name != ".lock"}
    with pytest.raises(UsageError, match=r"holds a run already.*choose another --out, or --resume"):
        train_small(copy)
    assert {file.name: file.read_bytes() for file in copy.iterdir() if file.name != ".lock"} == before
    with pytest.raises(UsageError, match="holds no run to resume"):
        train_small(tmp_path / "new", resume=True)
    (copy / "last.safetensors").unlink()
    with pytest.raises(UsageError, match=r"holds a model but no last\.safetensors"):
        train_small(copy, resume=True)
    assert (copy / "best.safetensors").exists()


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError, match="cannot be made"):
        train_small(tmp_path / "file")
    with pytest.raises(ResourceError, match="cannot be made: File name too long"):
        train_small(tmp_path / ("n" * 300))
