"""A training that several processes share is the training of one, and ends as one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from processes import Raised, in_processes
from runs import (
    Told,
    assert_same_run,
    assert_same_tensors,
    make_material,
    read_log,
    recordings,
    train_small,
)

from seqflow.checkpoint import read_checkpoint
from seqflow.data.batch import Batch
from seqflow.data.dataset import Windows
from seqflow.errors import InputError, Interrupted, SeqflowError, UsageError
from seqflow.flow import Flow
from seqflow.model import Model
from seqflow.objective import Loss
from seqflow.ranks import ALONE, Ranks
from seqflow.recipe import Recipe
from seqflow.training import Finished, Skipped, Step, Warned
from seqflow.training.material import Material
from seqflow.training.step import accumulate


class Eventful(Windows):
    """Windows on which something happens in one process."""

    ranks: Ranks = ALONE
    stop_at: int | None = None
    infinite_at: tuple[int, ...] = ()
    gone_at: int | None = None

    def loader(self, first_step: int, last_step: int, *args: Any, **kwargs: Any) -> Iterator[Batch]:
        batches = super().loader(first_step, last_step, *args, **kwargs)
        last = self.ranks.rank == self.ranks.size - 1
        for step, batch in zip(range(first_step, last_step), batches, strict=True):
            if step in self.infinite_at and last:
                batch.x[-1, 0, 7] = float("inf")
            if step == self.gone_at and last:
                raise InputError("r3.wav", "vanished", "is gone")
            if step == self.stop_at and last:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch


def holed(recipe: Recipe, ranks: Ranks, **events: Any) -> Material:
    """Recordings with missing samples, so that windows weigh differently."""
    material = make_material(recipe)
    train = recordings(4)
    for recording in train:
        recording.values[:, 100:113] = np.nan
    windows = Eventful(train, window=32, hop=8, seed=recipe.seed)
    windows.ranks = ranks
    for name, value in events.items():
        setattr(windows, name, value)
    return replace(material, train=windows)


def shared(ranks: Ranks, out: Path, overrides: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
    """Train in this process of several; what the test looks at."""
    told = Told()
    events = options.pop("events", {})
    model = train_small(
        out,
        *overrides,
        on_event=told,
        material=lambda recipe: holed(recipe, ranks, **events),
        ranks=ranks,
        **options,
    )
    return {
        "weights": {name: tensor.numpy() for name, tensor in model.flow.state_dict().items()},
        "steps": [(e.step, e.nats) for e in told.of(Step)],
        "skipped": [(e.step, e.total) for e in told.of(Skipped)],
        "warned": [e.message for e in told.of(Warned)],
        "finished": len(told.of(Finished)),
        "events": len(told.events),
        "calibrated": model.calibration is not None,
        "info": model.info,
    }


def train_shared(folder: Path, size: int, out: Path, *overrides: str, **options: Any) -> list[Any]:
    return in_processes(folder, size, shared, out, overrides, options)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run of one process."""
    out = tmp_path_factory.mktemp("single") / "run"
    return {**shared(ALONE, out, (), {}), "out": out}


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same run of two."""
    folder = tmp_path_factory.mktemp("double")
    first, second = train_shared(folder / "group", 2, folder / "run")
    assert isinstance(first, dict) and isinstance(second, dict), (first, second)
    return {**first, "second": second, "out": folder / "run"}


def assert_close(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """The same training but for the order in which float32 sums are taken: 12 steps of AdamW from there."""
    for (step, nats), (other, expected) in zip(ours["steps"], theirs["steps"], strict=True):
        assert step == other
        assert nats == pytest.approx(expected, abs=2e-5), step
    for name, values in theirs["weights"].items():
        np.testing.assert_allclose(ours["weights"][name], values, rtol=2e-3, atol=2e-4, err_msg=name)
    # As a likelihood, what that comes to.
    assert ours["info"]["valid_nats"] == pytest.approx(theirs["info"]["valid_nats"], abs=2e-5)


def test_two_processes_train_as_one(single: dict[str, Any], double: dict[str, Any]) -> None:
    assert_close(double, single)
    second = double["second"]
    assert double["calibrated"] and not second["calibrated"] and second["events"] == 0
    for name, values in double["weights"].items():
        assert np.array_equal(values, second["weights"][name]), name
    assert sorted(path.name for path in double["out"].iterdir()) == [
        ".lock", "best.safetensors", "last.safetensors", "log.jsonl", "recipe.yaml",
    ]  # fmt: skip
    ours, theirs = ([line["event"] for line in read_log(found["out"])] for found in (double, single))
    assert ours == theirs
    assert (double["info"]["processes"], single["info"]["processes"]) == (2, 1)
    assert double["info"]["valid_windows"] == single["info"]["valid_windows"] == 20


def test_a_batch_that_does_not_divide(tmp_path: Path, single: dict[str, Any]) -> None:
    """8 windows for 3 processes, loaded by workers; fewer windows to validate on than processes."""
    three = train_shared(tmp_path / "group", 3, tmp_path / "run", "train.workers=1")
    for found in three:
        assert isinstance(found, dict), found
        for name, values in three[0]["weights"].items():
            assert np.array_equal(found["weights"][name], values), name
    assert_close(three[0], single)


def test_windows_drawn_meanwhile_are_those_of_one(tmp_path: Path) -> None:
    keys = ("train.draws.share=0.5", "train.draws.every=2", "train.draws.windows=6")
    alone = shared(ALONE, tmp_path / "alone", keys, {})
    first, second = train_shared(tmp_path / "group", 2, tmp_path / "run", *keys)
    assert isinstance(first, dict) and isinstance(second, dict), (first, second)
    for name, values in first["weights"].items():
        assert np.array_equal(values, second["weights"][name]), name
    assert_close(first, alone)


def test_more_processes_than_windows_in_a_batch(tmp_path: Path) -> None:
    for found in train_shared(tmp_path / "group", 2, tmp_path / "run", "train.batch=1"):
        assert isinstance(found, Raised) and found.kind is UsageError
        assert found.text.startswith("train.batch: 1 windows cannot be shared by 2 processes")
    assert not (tmp_path / "run").exists()


def test_a_signal_to_one_stops_all_and_the_rest_is_the_same(
    tmp_path: Path, single: dict[str, Any], double: dict[str, Any]
) -> None:
    out = tmp_path / "run"
    for found in train_shared(tmp_path / "a", 2, out, events={"stop_at": 5}):
        assert isinstance(found, Raised) and found.kind is Interrupted
        assert "interrupted after step 6 of 12" in found.text
    assert read_checkpoint(out / "last.safetensors")[1]["progress"]["step"] == 6
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in out.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    # As many processes: to the bit.
    first, second = train_shared(tmp_path / "b", 2, out, resume=True)
    assert [step for step, _ in first["steps"]] == [7, 8, 9, 10, 11, 12]
    assert_same_run(out, double["out"])
    for name, values in first["weights"].items():
        assert np.array_equal(values, second["weights"][name]), name
    # One process: but for rounding, and it is said.
    alone = shared(ALONE, copy, (), {"resume": True})
    assert alone["warned"] == ["1 process now, 2 before: from here on it is rounded otherwise"]
    assert {"event": "processes_changed", "step": 6, "processes": 1} in read_log(copy)
    assert_close({**alone, "steps": double["steps"][:6] + alone["steps"]}, single)
    # A finished run is its model at once, everywhere.
    for found in train_shared(tmp_path / "c", 2, out, resume=True):
        assert found["steps"] == [] and found["calibrated"]
        assert all(np.array_equal(found["weights"][k], v) for k, v in first["weights"].items())


def test_a_step_that_is_not_finite_in_one_is_skipped_by_all(tmp_path: Path) -> None:
    events = {"infinite_at": (2, 3)}
    first, second = train_shared(tmp_path / "group", 2, tmp_path / "two", events=events)
    alone = shared(ALONE, tmp_path / "one", (), {"events": events})
    assert first["skipped"] == alone["skipped"] == [(3, 1), (4, 2)]
    assert second["info"]["bad_steps"] == 2
    assert_close(first, alone)


def test_the_bad_batch_is_kept_whole(tmp_path: Path) -> None:
    out = tmp_path / "two"
    options = {"events": {"infinite_at": (2, 3)}}
    for found in train_shared(tmp_path / "group", 2, out, "train.max_bad_steps=2", **options):
        assert (
            isinstance(found, Raised)
            and found.kind is SeqflowError
            and "bad_batch.safetensors: 2 steps in a row" in found.text
        )
    with pytest.raises(SeqflowError, match="2 steps in a row"):
        shared(
            ALONE, tmp_path / "one", ("train.max_bad_steps=2",), options | {"events": {"infinite_at": (2, 3)}}
        )
    assert_same_tensors(
        *(read_checkpoint(tmp_path / run / "bad_batch.safetensors")[0] for run in ("two", "one"))
    )


def test_an_input_that_is_gone_for_one_is_told_by_all(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for found in train_shared(tmp_path / "group", 2, out, events={"gone_at": 5}):
        assert isinstance(found, Raised) and found.kind is InputError
        assert found.text == "r3.wav: vanished: is gone"
    assert read_checkpoint(out / "last.safetensors")[1]["progress"]["step"] == 4


def short_of_memory(ranks: Ranks, out: Path) -> dict[str, Any]:
    """The second process can take one window at a time."""
    from seqflow.training import loop

    def limited(flow: Flow, batch: Batch, size: int) -> Loss:
        if ranks.rank == 1 and size > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return accumulate(flow, batch, size)

    loop.accumulate = limited  # type: ignore[attr-defined]
    return shared(ranks, out, (), {})


def test_short_memory_in_one_makes_parts_smaller_in_all(tmp_path: Path, single: dict[str, Any]) -> None:
    first, _ = in_processes(tmp_path / "group", 2, short_of_memory, tmp_path / "run")
    assert_close(first, single)
    assert read_checkpoint(tmp_path / "run" / "last.safetensors")[1]["progress"]["micro_batch"] == 1
    assert {"event": "micro_batch", "step": 0, "size": 1} in read_log(tmp_path / "run")


def test_all_lose_patience_together(tmp_path: Path) -> None:
    overrides = ("train.lr=1.0", "train.patience=2", "train.steps=200", "train.warmup=0")
    first, second = train_shared(tmp_path / "group", 2, tmp_path / "run", *overrides)
    assert first["finished"] == 1 and len(first["steps"]) < 200
    assert first["info"]["trained_steps"] == second["info"]["trained_steps"] == first["steps"][-1][0]
    assert Model.load(tmp_path / "run").calibration is not None
