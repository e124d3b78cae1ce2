"""A training from its folder's point of view: begun, gone on with, or found finished."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import AdamW

from ..errors import CheckpointError, ResourceError
from ..files import write_text
from ..flow import Flow
from ..lock import lock
from ..model import BEST, LAST, Model, fill
from ..ranks import ALONE, Ranks, join
from ..recipe import Recipe, dump
from ..runtime import choose_device, out_of_memory, repeatable, threads
from .assemble import device_name, new_flow, parameter_count
from .background import load_background
from .board import Board
from .ema import Average
from .events import Event, Finished, LeftOut, OnEvent, Started, Warned
from .finish import finish
from .folder import BOARD, LOG, RECIPE, find_state, finished_model
from .initialize import initialize
from .log import Log, NoLog
from .loop import Trainer
from .material import Material, calibration_fault, check_material, condition_fault, load_material
from .optimizer import make_optimizer, restore_optimizer
from .resume import check_classes, check_data, check_recipe, plain
from .state import Progress, State, load_state
from .synchronize import check_same_data, check_shares, from_first, spread_weights


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    resume: bool = False,
    device: str = "auto",
    on_event: OnEvent | None = None,
    allow_data_change: bool = False,
) -> Model:
    """Train the model of a recipe on the data it names, in the folder `out`; the calibrated model.

    Started by torchrun, all processes call this, and share every batch: the result is that of one process, up
    to rounding. Only the first one writes and tells events; the others get the model without calibration.

    The folder gets recipe.yaml, log.jsonl (a JSON value a line), last.safetensors (everything to go on with)
    and best.safetensors (the model). Everything random depends on the recipe's seed alone.

    Args:
        recipe: what to train, on which data.
        out: folder of the run, made where it is not there. One that holds a run is refused.
        resume: go on with the run in `out`. On a CPU, and on a GPU of the same kind as far as torch has
            deterministic operators, the result is to the bit that of a training that never stopped. The
            recipe must ask for the same training, but for its number of steps, which may have grown.
        device: auto, cpu, cuda or cuda:N.
        on_event: told what happens, see `events`.
        allow_data_change: resume although the data are no longer those the run was begun with.

    Raises UsageError where the arguments do not fit the folder, the machine or the data; CheckpointError
    where the saved state is damaged; InputError where data cannot be read; ResourceError where disk, memory
    or the GPU fail; Interrupted after SIGINT or SIGTERM, with the state saved; SeqflowError where the
    training comes to nothing.
    """
    with join(choose_device(device)) as ranks:
        return run(
            recipe,
            Path(out),
            lambda: load_material(recipe),
            resume=resume,
            device=device,
            on_event=on_event,
            allow_data_change=allow_data_change,
            ranks=ranks,
        )


def run(
    recipe: Recipe,
    out: Path,
    material: Callable[[], Material],
    *,
    resume: bool = False,
    device: str = "auto",
    on_event: OnEvent | None = None,
    allow_data_change: bool = False,
    ranks: Ranks = ALONE,
) -> Model:
    """`train` on data from elsewhere: `material` is called once it is known that there is work to do."""
    place = choose_device(device)
    emit = on_event if on_event and ranks.first else _ignore
    with ExitStack() as held:
        state, model = None, None
        with ranks.together():
            if ranks.first:
                held.enter_context(lock(out))
                state = find_state(out, resume)
                if state is not None:
                    check_recipe(out, state.recipe, recipe)
                    model = finished_model(out, state, recipe, place)
        if ranks.size > 1:
            done = from_first(ranks, out / BEST if model else None, lambda path: Model.load(path, place))
            if not ranks.first:
                model = done
        if model is not None:
            return _announce(out, state, model, emit)
        if ranks.size > 1:
            state = from_first(ranks, out / LAST if state else None, load_state)
        with ranks.together():
            data = material()
            for error in data.left_out:
                emit(LeftOut(error.path, error.code, error.detail))
            check_material(recipe, data)
            _check_background(recipe, data)
            check_shares(recipe, ranks)
            if state is not None:
                check_classes(out, state.progress.conditions, plain(data.classes))
            changed = state is not None and check_data(
                out, state.progress.fingerprint, data.fingerprint, allow_data_change
            )
        check_same_data(data.fingerprint, ranks)
        with (
            threads(state.progress.threads if state else recipe.train.threads) as count,
            repeatable(place),
        ):
            try:
                return _train(recipe, out, data, state, changed, count, place, emit, ranks)
            except torch.AcceleratorError as error:
                reason = str(error).splitlines()[0]
                raise ResourceError(
                    f"{out}: the GPU failed: {reason}; --resume goes on from the last checkpoint"
                ) from error
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                raise ResourceError(
                    f"{out}: out of memory; make the model smaller, or lower data.window"
                ) from error


def _check_background(recipe: Recipe, data: Material) -> None:
    """Raise before the training what would be raised behind it."""
    path = recipe.score.background
    if path is not None:
        load_background(path, recipe, channels=data.train.channels, rate=data.rate, step=data.step)


def _train(
    recipe: Recipe,
    out: Path,
    data: Material,
    state: State | None,
    changed: bool,
    count: int,
    device: torch.device,
    emit: OnEvent,
    ranks: Ranks,
) -> Model:
    best: dict[str, Tensor] = {}
    with ranks.together():
        flow = new_flow(recipe, data)
        if state is None and ranks.first:
            constant = initialize(flow.to(device), data.train, device)
            if constant:
                emit(Warned(_constant(constant, data)))
            for fault in (condition_fault(data), calibration_fault(recipe, data)):
                if fault:
                    emit(Warned(fault))
        elif state is not None:
            best = state.group("best")
            average, optimizer = _restore(out, flow, recipe, state, device)
    if state is None:
        size = recipe.train.micro_batch or recipe.train.batch
        progress = Progress(size, count, data.fingerprint, plain(data.classes), processes=ranks.size)
        spread_weights(flow, ranks, device)
        with ranks.together():
            average = Average(flow, recipe.train.ema)
            optimizer = make_optimizer(flow, recipe.train)
    else:
        progress = state.progress
    flow.train()
    board: Board | None = None
    log: Log = NoLog()
    try:
        with ranks.together():
            if ranks.first:
                board = Board(out / BOARD, progress.step) if recipe.train.tensorboard else None
                write_text(out / RECIPE, dump(recipe))
                log = Log(out / LOG, keep=0 if state is None else state.log_bytes)
            trainer = Trainer(
                recipe, data, out, device, flow, average, optimizer, progress, best, log, board, emit, ranks
            )
            _open(trainer, state, changed)
        trainer.run()
        return finish(trainer)
    finally:
        log.close()
        if board is not None:
            board.close()


def _open(trainer: Trainer, state: State | None, changed: bool) -> None:
    """The first lines of the log and the first event."""
    material, progress = trainer.material, trainer.progress
    started = Started(
        trainer.out,
        progress.step,
        trainer.recipe.train.steps,
        len(material.train),
        len(material.valid),
        parameter_count(trainer.flow),
        device_name(trainer.device),
        resumed=state is not None,
        processes=trainer.ranks.size,
    )
    trainer.emit(started)
    if state is None:
        trainer.log.write(
            "started",
            train_windows=started.train_windows,
            valid_windows=started.valid_windows,
            calibration_recordings=len(material.calibration),
            left_out=len(material.left_out),
            parameters=started.parameters,
            data_fingerprint=material.fingerprint,
            threads=progress.threads,
            processes=progress.processes,
        )
        return
    if changed:
        trainer.emit(
            Warned("the data have changed since the run was begun; it goes on with what is there now")
        )
        trainer.log.write("data_changed", step=progress.step, data_fingerprint=material.fingerprint)
        progress.fingerprint = material.fingerprint
    if progress.processes != trainer.ranks.size:
        before, now = progress.processes, trainer.ranks.size
        trainer.emit(
            Warned(
                f"{now} process{'es' * (now != 1)} now, {before} before: from here on it is rounded otherwise"
            )
        )
        trainer.log.write("processes_changed", step=progress.step, processes=now)
        progress.processes = now
    progress.finished = False
    if progress.best is not None and trainer.ranks.first:
        # A kill may have come between the state and the model that belongs to it.
        trainer.write_model()


def _restore(
    out: Path, flow: Flow, recipe: Recipe, state: State, device: torch.device
) -> tuple[Average, AdamW]:
    """Fill the flow from the state; the average and the optimiser that belong to it."""
    average = Average(flow, recipe.train.ema)
    try:
        fill(flow, state.group("flow"))
        fill(average.flow, state.group("average"))
        flow.to(device)
        average.flow.to(device)
        # Made last: it must hold the parameters that the flow has now.
        optimizer = make_optimizer(flow, recipe.train)
        restore_optimizer(optimizer, flow, state.group("optimizer"))
    except CheckpointError as error:
        raise CheckpointError(f"{out / LAST}: {error}") from None
    return average, optimizer


def _announce(out: Path, state: State | None, model: Model, emit: Callable[[Event], None]) -> Model:
    if state is None:  # in a process that is not the first, and has nothing to tell
        return model
    best = state.progress.best
    assert best is not None
    early = state.progress.step < state.recipe.train.steps
    emit(Finished(out / BEST, best.step, best.nats, best.bits, state.progress.seconds, early))
    return model


def _constant(channels: list[int], data: Material) -> str:
    names = [data.channel_names[c] if data.channel_names else str(c) for c in channels[:5]]
    more = ", ..." if len(channels) > 5 else ""
    return (
        f"data.channels: {', '.join(names)}{more} never moved in the windows looked at; a channel that never "
        "moves is better left out"
    )


def _ignore(event: Event) -> None:
    pass
