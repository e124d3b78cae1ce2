"""The loop: steps, validations and saves, until the steps, the patience or the user come to an end."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import Tensor, nn
from torch.optim import AdamW

from ..checkpoint import write_checkpoint
from ..data.batch import Batch
from ..errors import Interrupted, ResourceError, SeqflowError
from ..flow import Flow
from ..model import BEST, LAST, full_scale
from ..objective import Loss, weigh
from ..ranks import ALONE, Ranks
from ..recipe import Recipe
from ..runtime import out_of_memory
from .assemble import make_model
from .board import Board
from .draws import Known, add, begin, due, gradients_of_draws, look_at
from .ema import Average
from .events import MicroBatch, OnEvent, Saved, Skipped, Step, Validated
from .log import Log
from .material import Material
from .optimizer import gradient_norm, learning_rate, optimizer_tensors, set_learning_rate
from .pace import Pace
from .signals import Interrupts
from .state import Progress, State, join, save_state
from .step import accumulate
from .synchronize import add_gradients, check_equal
from .validate import Validation, joined, validate

BAD_BATCH = "bad_batch.safetensors"

T = TypeVar("T")


@dataclass
class Trainer:
    """A training under way.

    Attributes:
        flow: its weights change; `average` follows them.
        best: averaged weights of the best validation, on the CPU; empty before the first.
        board: None for no TensorBoard.
        ranks: the processes that share the work. All have the same weights and come to the same decisions;
            the first one alone has a log, a board and files, and tells events.
    """

    recipe: Recipe
    material: Material
    out: Path
    device: torch.device
    flow: Flow
    average: Average
    optimizer: AdamW
    progress: Progress
    best: Mapping[str, Tensor]
    log: Log
    board: Board | None
    emit: OnEvent
    ranks: Ranks = ALONE
    pace: Pace = field(default_factory=Pace)
    known: Known | None = None

    def run(self) -> None:
        """Train to the end. The state is saved after every validation, and once more before it stops.

        The first validation is that of the start in closed form, before any step: what the training adds is
        told against it, and where it adds nothing, it is the model.

        Raises Interrupted after a signal, ResourceError where disk or memory are used up, SeqflowError after
        too many steps in a row that are not finite, and InputError where a recording cannot be read.
        """
        config = self.recipe.train
        if self.out_of_patience() or self.progress.step >= config.steps:
            return
        if self.progress.step == 0:
            self._validate()
            self.progress.without_gain = 0
        before = self.progress.seconds
        batches = self.material.train.loader(
            self.progress.step,
            config.steps,
            config.batch,
            config.workers,
            share=self.ranks.share(config.batch),
        )
        with Interrupts() as interrupts, closing(batches):  # type: ignore[type-var]
            while self.progress.step < config.steps:
                self._step(batches)
                self.progress.seconds = before + self.pace.seconds
                due = self.progress.step % config.validate_every == 0 or self.progress.step == config.steps
                gained = due and self._validate()
                asked = any(row[0] for row in self.ranks.gather([interrupts.asked]))
                if due or asked:
                    self.save(model=gained)
                if asked:
                    raise Interrupted(
                        f"{self.out}: interrupted after step {self.progress.step} of {config.steps}; "
                        "--resume goes on from there"
                    )
                if self.out_of_patience():
                    return

    def out_of_patience(self) -> bool:
        """Whether too many validations in a row brought nothing."""
        patience = self.recipe.train.patience
        return patience is not None and self.progress.without_gain >= patience

    def save(self, *, model: bool = False) -> None:
        """Save the state, and then the model as it stands where it is asked for: the first process does.

        Raises SeqflowError where another process has other weights.
        """
        check_equal(self._tensors(), self.progress.step, self.ranks)
        with self.ranks.together():
            if self.ranks.first:
                self.write_state()
                if model:
                    self.write_model()

    def write_state(self) -> None:
        """Write the state, in this process alone."""
        path = self.out / LAST
        save_state(State(self.recipe, self.progress, self.log.sync(), self._tensors()), path)
        self.emit(Saved(self.progress.step, path))

    def write_model(self) -> None:
        """Write the model as it stands, in this process alone; the calibration comes at the end."""
        model = make_model(self.recipe, self.material, self.progress, self.best, torch.device("cpu"))
        model.save(self.out / BEST)

    def _tensors(self) -> dict[str, Tensor]:
        return join(
            flow=self.flow.state_dict(),
            average=self.average.flow.state_dict(),
            best=self.best,
            optimizer=optimizer_tensors(self.optimizer, self.flow),
        )

    def _step(self, batches: Iterator[Batch]) -> None:
        """Take one step, or skip it where it is not finite.

        Every process goes through its share of the batch; what they find is put together before anything is
        decided, so that all decide alike.
        """
        config, index = self.recipe.train, self.progress.step
        lr = learning_rate(index, config)
        set_learning_rate(self.optimizer, lr)
        with self.ranks.together():
            batch = next(batches)
            on_device = batch.to(self.device)
            own = self._fitting(lambda size: accumulate(self.flow, on_device, size), len(batch))
        rows = self.ranks.gather([*own.row, self.progress.micro_batch])
        self._agree_on_size(rows)
        loss = weigh(Loss.of(row[:3]) for row in rows)
        self.progress.step = index + 1
        norm = distance = None
        if math.isfinite(loss.nats):
            if self.ranks is not ALONE:
                add_gradients(self.flow, own.samples / max(1, loss.samples), self.ranks)
            distance = self._draw(index)
            norm = gradient_norm(self.flow)
        if norm is None or not bool(torch.isfinite(norm)):
            self._skip(batch)
            return
        self.progress.bad_in_a_row = 0
        if config.clip is not None:
            nn.utils.clip_grads_with_norm_(self.flow.parameters(), config.clip, norm)
        self.optimizer.step()
        self.average.update(self.flow, index)
        self.pace.step(loss.samples)
        self._report(loss, lr, float(norm), distance)

    def _draw(self, index: int) -> float | None:
        """Add the gradients of windows drawn in this step, if any are; their distance from the data.

        Every process draws all of them, and has the same gradients.
        """
        config = self.recipe.train.draws
        if config is None or not due(config, index, self.recipe.train.steps):
            return None
        with self.ranks.together():
            if self.known is None:
                self.known = look_at(
                    self.material.train, config, self.device, full_scale(self.recipe, self.material.rate)
                )
            known, seed = self.known, self.recipe.seed
            distance, gradients = self._fitting(
                lambda size: gradients_of_draws(self.flow, known, config, index, seed, size), config.windows
            )
        rows = self.ranks.gather([self.progress.micro_batch])
        self._agree_on_size(rows)
        return distance if add(self.flow, gradients) else None

    def _report(self, loss: Loss, lr: float, norm: float, distance: float | None) -> None:
        config, step = self.recipe.train, self.progress.step
        speed = self.pace.samples_per_second
        eta = self.pace.eta(config.steps - step)
        self.emit(Step(step, config.steps, loss.nats, loss.bits, lr, norm, speed, eta, distance))
        if step % config.log_every == 0 or step == config.steps:
            figures = {"nats": loss.nats, "bits": loss.bits, "lr": lr, "grad_norm": norm}
            if distance is not None:
                figures["draws"] = distance
            self.log.write("step", step=step, **figures, samples_per_second=speed, seconds=self.pace.seconds)
            if self.board is not None:
                self.board.write(step, **{f"train_{name}": value for name, value in figures.items()})

    def _skip(self, batch: Batch) -> None:
        progress = self.progress
        progress.bad += 1
        progress.bad_in_a_row += 1
        self.emit(Skipped(progress.step, progress.bad_in_a_row, progress.bad))
        self.log.write("skipped", step=progress.step, in_a_row=progress.bad_in_a_row, total=progress.bad)
        if progress.bad_in_a_row < self.recipe.train.max_bad_steps:
            return
        path = self.out / BAD_BATCH
        parts = self.ranks.gather_bytes(pack({k: v.contiguous() for k, v in batch.tensors().items()}))
        with self.ranks.together():
            if self.ranks.first:
                whole = Batch.join([Batch(**unpack(part)) for part in parts])
                meta = {"format": "seqflow-batch", "after_steps": progress.step}
                write_checkpoint(path, whole.tensors(), meta)
        raise SeqflowError(
            f"{path}: {progress.bad_in_a_row} steps in a row, up to step {progress.step}, had a loss or "
            "gradient that is not finite; this is the last batch: look at the data, or train anew with a "
            "lower train.lr"
        )

    def _validate(self) -> bool:
        """Try the averaged weights; whether they are the best so far."""
        progress = self.progress
        with self.ranks.together():
            part = self._fitting(
                lambda size: validate(
                    self.average.flow,
                    self.material.valid,
                    size=size,
                    limit=self.recipe.train.validate_windows,
                    device=self.device,
                    ranks=self.ranks,
                ),
                self.progress.micro_batch,
            )
        rows = self.ranks.gather([*part, self.progress.micro_batch])
        self._agree_on_size(rows)
        found = joined(progress.step, rows)
        self.pace.pause()
        best = progress.best
        gained = found.fault is None and (best is None or self._before_draws(best) or found.nats < best.nats)
        if gained:
            progress.best, progress.without_gain = found, 0
            self.best = self.average.tensors()
        else:
            progress.without_gain += 1
        self._report_validation(found, gained)
        return gained

    def _before_draws(self, best: Validation) -> bool:
        """Whether windows are drawn since the best validation: what knows nothing of them counts no more."""
        config = self.recipe.train
        return (
            config.draws is not None and best.step <= begin(config.draws, config.steps) < self.progress.step
        )

    def _report_validation(self, found: Validation, gained: bool) -> None:
        self.emit(Validated(**asdict(found), best=gained, reason=found.fault))
        self.log.write("validated", **asdict(found), best=gained, reason=found.fault)
        if self.board is not None:
            self.board.write(found.step, valid_nats=found.nats, valid_bits=found.bits)

    def _fitting(self, work: Callable[[int], T], most: int) -> T:
        """The result of work(windows in a pass), with half as many as often as memory runs out.

        There are no more than `most` to work on.
        """
        while True:
            try:
                return work(self.progress.micro_batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            # Here the traceback, and what it held in memory, is gone.
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            size = min(self.progress.micro_batch, most)
            if size <= 1:
                raise ResourceError(
                    f"{self.out}: out of memory with a single window of {self.recipe.data.window} samples; "
                    "lower data.window, or make the model smaller"
                )
            self._lower_size((size + 1) // 2)

    def _agree_on_size(self, rows: Sequence[Sequence[float]]) -> None:
        """Windows in a pass are as few as the process with the least memory has them: the last in its row."""
        size = min(int(row[-1]) for row in rows)
        if size < self.progress.micro_batch:
            self._lower_size(size)

    def _lower_size(self, size: int) -> None:
        self.progress.micro_batch = size
        self.emit(MicroBatch(self.progress.step, size))
        self.log.write("micro_batch", step=self.progress.step, size=size)
