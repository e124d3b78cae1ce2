"""What a training does with steps that are not finite, too little memory and a lost GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import Told, make_material, read_log, recordings, train_small

from seqflow.checkpoint import read_checkpoint
from seqflow.data.batch import Batch
from seqflow.data.dataset import Windows
from seqflow.errors import ResourceError, SeqflowError
from seqflow.flow import Flow
from seqflow.model import Model
from seqflow.objective import Loss
from seqflow.recipe import Recipe
from seqflow.training import (
    MicroBatch,
    Skipped,
    Step,
)
from seqflow.training.material import Material
from seqflow.training.step import accumulate


class Poisoned(Windows):
    """Windows whose batches at some steps hold a sample that is not finite."""

    bad: frozenset[int]

    def loader(self, first_step: int, last_step: int, *args: Any, **kwargs: Any) -> Iterator[Batch]:
        batches = super().loader(first_step, last_step, *args, **kwargs)
        for step, batch in zip(range(first_step, last_step), batches, strict=True):
            if step in self.bad:
                batch.x[3, 0, 7] = float("inf")
            yield batch


def poison(*steps: int) -> Any:
    def material(recipe: Recipe) -> Material:
        good = make_material(recipe)
        train = Poisoned(recordings(4), window=32, hop=8, seed=recipe.seed)
        train.bad = frozenset(steps)
        return replace(good, train=train)

    return material


def test_steps_that_are_not_finite_are_skipped_and_counted(tmp_path: Path) -> None:
    told = Told()
    model = train_small(tmp_path / "a", "train.max_bad_steps=3", on_event=told, material=poison(2, 3, 9))
    assert [(s.step, s.in_a_row, s.total) for s in told.of(Skipped)] == [(3, 1, 1), (4, 2, 2), (10, 1, 3)]
    assert [s.step for s in told.of(Step)] == [s for s in range(1, 13) if s not in (3, 4, 10)]
    assert model.info["bad_steps"] == 3
    assert all(bool(torch.isfinite(p).all()) for p in model.flow.parameters())
    assert {"event": "skipped", "step": 4, "in_a_row": 2, "total": 2} in read_log(tmp_path / "a")


def test_too_many_in_a_row_stop_it_with_the_batch_saved(tmp_path: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(
        SeqflowError, match=r"bad_batch.safetensors: 3 steps in a row, up to step 9"
    ) as caught:
        train_small(out, "train.max_bad_steps=3", material=poison(6, 7, 8))
    assert caught.value.exit_code == 1
    tensors, meta = read_checkpoint(out / "bad_batch.safetensors", "seqflow-batch")
    assert tensors["x"].shape == (8, 1, 32)
    assert torch.isinf(tensors["x"][3, 0, 7])
    assert meta["after_steps"] == 9
    # The checkpoint before is whole; without the fault it would go on from there.
    assert read_checkpoint(out / "last.safetensors")[1]["progress"]["step"] == 8


def short_of_memory(most: int) -> Any:
    def limited(flow: Flow, batch: Batch, size: int) -> Loss:
        if size > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore text")
        return accumulate(flow, batch, size)

    return limited


def test_short_memory_makes_micro_batches_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_small(tmp_path / "a", "train.micro_batch=2")
    told = Told()
    with monkeypatch.context() as patch:
        patch.setattr("seqflow.training.loop.accumulate", short_of_memory(2))
        model = train_small(tmp_path / "b", on_event=told)
    assert [(e.step, e.size) for e in told.of(MicroBatch)] == [(0, 4), (0, 2)]
    assert read_log(tmp_path / "b")[2:4] == [
        {"event": "micro_batch", "step": 0, "size": 4},
        {"event": "micro_batch", "step": 0, "size": 2},
    ]
    # The same batches and noise from then on.
    for key, tensor in Model.load(tmp_path / "a").flow.state_dict().items():
        assert torch.equal(tensor, model.flow.state_dict()[key])


def test_a_window_that_does_not_fit_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqflow.training.loop.accumulate", short_of_memory(0))
    with pytest.raises(ResourceError, match="out of memory with a single window of 32 samples"):
        train_small(tmp_path / "a")


def test_memory_may_run_out_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("seqflow.training.session.initialize", full)
    with pytest.raises(ResourceError, match="out of memory; make the model smaller"):
        train_small(tmp_path / "a")


def test_other_errors_are_not_taken_for_short_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> Loss:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("seqflow.training.loop.accumulate", wrong)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        train_small(tmp_path / "a")


def test_a_lost_gpu_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> Loss:
        raise torch.AcceleratorError("CUDA error: device lost\nmore")

    monkeypatch.setattr("seqflow.training.loop.accumulate", lost)
    with pytest.raises(ResourceError, match="the GPU failed: CUDA error: device lost; --resume"):
        train_small(tmp_path / "a")
