"""Flows beside classical densities and a codec, all on the same held-out windows.

Shapes: values of windows (W,), in bits or nats per sample.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.split import Parts, split_recordings
from ..errors import InputError, UsageError
from ..files import make_folder, write_text
from ..model import Model
from ..recipe import Recipe, WindowMixtureConfig
from ..references import fit_references
from ..runtime import repeatable
from ..training import Event
from .density_codec import code_lengths
from .density_interval import groups
from .density_plan import plan
from .density_results import DensityBenchmark, Row, compared, markdown, to_csv, to_json
from .density_training import cpu_seconds, trained
from .density_windows import HeldOut, dithered, fitted_to, held_out, stretches
from .machine import machine

Array = NDArray[np.float64]
Tell = Callable[[str, Event | None], None]
"""Told what is being worked on, and what a training of that name says."""

PARTS = ("auto", "test", "valid", "calibration")

_BATCH_SAMPLES = 1 << 16


def benchmark_density(
    recipes: Sequence[str | Path],
    out: Path,
    *,
    runs: Sequence[str | Path] = (),
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    windows: int = 384,
    length: int | None = None,
    part: str = "auto",
    order: int | None = None,
    device: str = "auto",
    on_progress: Tell | None = None,
) -> DensityBenchmark:
    """Train the recipes, measure them, the runs and the references; write density.json, .md and .csv.

    Args:
        recipes: each is trained into `out`/NAME, unless a finished run of it lies there.
        out: folder.
        runs: models that are trained already.
        data: recipe whose data all are put on, see `density_plan.plan`.
        overrides: changes of the recipes.
        windows: at most so many, evenly spread over all places in the recordings.
        length: of a window, samples; None for that of the data's recipe.
        part: auto, test, valid or calibration. auto: test, or where there is none, valid.
        order: of autoregressions; None for 32 on audio and 8 on series.
        device: where to train and measure.
        on_progress: told of every stage and training.

    Raises UsageError where the arguments do not fit each other or the data, and what `split_recordings`,
    `training.train` and `Model.load` raise; ResourceError where a file cannot be written.
    """
    begin = time.monotonic()
    tell: Tell = on_progress or (lambda what, event: None)
    if windows < 1 or part not in PARTS or (order is not None and order < 1):
        raise UsageError(
            f"benchmark density: needs at least 1 window and order 1, and a part of {', '.join(PARTS)}; got "
            f"{windows} windows, order {order}, part {part}"
        )
    planned = plan(recipes, runs, data, overrides, device)
    config = planned.data.data
    length = config.window if length is None else length
    if length < 1:
        raise UsageError(
            f"benchmark density: windows of {length} samples hold nothing; give a longer --length"
        )
    _check_length(planned.recipes, planned.runs, length)
    parts = split_recordings(planned.data)
    for path, model in planned.runs:
        if (model.channels, model.rate) != (parts.channels, parts.rate):
            raise UsageError(
                f"{path}: has other channels or another rate than the data of {planned.data.name}"
            )
    held, used = held_out(parts, part, length, windows)
    make_folder(out)
    rng = np.random.default_rng(0)
    known = stretches(fitted_to(parts, used), rng)
    seen = dithered(held.x, held.step[:, None, None], rng)
    rows: list[Row] = []
    values: dict[int, Array] = {}

    def add(row: Row, nats: Array | None) -> None:
        if nats is not None and not np.isfinite(nats).all():
            row, nats = replace(row, note="not finite on some windows"), None
        if nats is not None:
            values[len(rows)] = _per_sample(nats, held)
        rows.append(row)

    here = machine()
    tell("references", None)
    for found in fit_references(known, seen, kind=held.recordings[0].kind, order=order):
        tell(found.name, None)
        row = Row(found.name, "reference", None, device="cpu", note=found.note)
        if found.nats is None:
            row = replace(row, note=f"left out: {found.note}")
        else:
            row = replace(row, parameters=found.parameters, cpu_seconds=found.seconds)
        add(row, found.nats)
    rows += code_lengths(held, parts.rate)
    for name, run, model, seconds in _models(planned.recipes, planned.runs, out, device, tell):
        tell(f"{name}: measuring", None)
        row = Row(
            name,
            "flow",
            None,
            parameters=model.info.get("parameters"),
            steps=model.info.get("trained_steps"),
            cpu_seconds=seconds,
            device=str(model.info.get("device", "")),
            run=str(run),
            note=_doubt(model, parts),
        )
        add(row, model_nats(model, held, told=False))
        if model.classes:
            add(replace(row, model=f"{name}, told its conditions"), model_nats(model, held, told=True))
    group, resampled = groups(held.which, held.position, length)
    done, best = compared(rows, values, group)
    result = DensityBenchmark(
        data=planned.data.name,
        part=used,
        unit="nats/sample" if held.log_step is None else "bits/sample",
        windows=len(held.x),
        length=length,
        channels=parts.channels,
        recordings=len(np.unique(held.which)),
        resampled=resampled,
        best_reference=best,
        fitted_samples=sum(one.shape[1] for one in known),
        rows=tuple(done),
        notes=tuple(_notes(parts, used)),
        machine=here,
        seconds=time.monotonic() - begin,
        paths=tuple(out / f"density.{suffix}" for suffix in ("json", "md", "csv")),
    )
    for path, write in zip(result.paths, (to_json, markdown, to_csv), strict=True):
        write_text(path, write(result))
    return result


@torch.no_grad()
def model_nats(model: Model, held: HeldOut, *, told: bool) -> Array:
    """Minus the log-density of each window (W,), nats; `told`: given the conditions of its recording."""
    size = max(1, _BATCH_SAMPLES // (held.x.shape[1] * held.x.shape[2]))
    vectors = np.stack([model.classes.vector(one if told else {}) for one in held.conditions])
    found = []
    with repeatable(model.device):
        for at in range(0, len(held.x), size):
            some = slice(at, at + size)
            context = {
                "step": torch.from_numpy(held.step[some]).float().to(model.device),
                "position": torch.from_numpy(held.position[some]).to(model.device),
                "span": torch.from_numpy(held.span[some]).to(model.device),
            }
            if model.classes:
                context["condition"] = torch.from_numpy(vectors[held.which[some]]).to(model.device)
            found.append(-model.log_prob(held.x[some], context).double().cpu().numpy())
    return np.concatenate(found)


def _check_length(recipes: Sequence[Recipe], runs: Sequence[tuple[Path, Model]], length: int) -> None:
    divisors = [(recipe.name, _divisor(recipe)) for recipe in recipes]
    divisors += [(str(path), model.flow.divisor) for path, model in runs]
    for name, divisor in divisors:
        if length % divisor:
            raise UsageError(
                f"benchmark density: {name} takes multiples of {divisor} samples, not windows of {length}; "
                "give another --length"
            )


def _divisor(recipe: Recipe) -> int:
    """What lengths must be multiples of; noise that belongs to whole windows takes these alone."""
    whole = isinstance(recipe.model.base, WindowMixtureConfig)
    return recipe.data.window if whole else recipe.model.divisor


def _per_sample(nats: Array, held: HeldOut) -> Array:
    """Bits per sample at the step of each window, or nats where not all have one."""
    share = nats / (held.x.shape[1] * held.x.shape[2])
    log_step = held.log_step
    return np.asarray(share if log_step is None else (share - log_step) / math.log(2.0))


def _models(
    recipes: Sequence[Recipe], runs: Sequence[tuple[Path, Model]], out: Path, device: str, tell: Tell
) -> Iterator[tuple[str, Path, Model, float | None]]:
    """Name, folder, model and CPU seconds of training, one after the other."""
    for recipe in recipes:
        tell(f"{recipe.name}: training", None)

        def on_event(event: Event, name: str = recipe.name) -> None:
            tell(name, event)

        folder = out / recipe.name
        model, seconds = trained(recipe, folder, device=device, on_event=on_event)
        yield f"{recipe.name}, seed {recipe.seed}", folder, model, seconds
    taken = {f"{recipe.name}, seed {recipe.seed}" for recipe in recipes}
    for path, model in runs:
        name = f"{model.recipe.name}, seed {model.recipe.seed}"
        name = f"{name} ({path})" if name in taken else name
        taken.add(name)
        yield name, path, model, cpu_seconds(path)


def _doubt(model: Model, parts: Parts) -> str:
    if model.info.get("data_fingerprint") == parts.fingerprint:
        return ""
    return "trained on other data, or data parted otherwise: see that these windows were held out from it"


def _notes(parts: Parts, used: str) -> Iterator[str]:
    if used == "valid":
        yield "these windows also chose the flows' weights among validations: a little in favour of the flows"
    if parts.skipped:
        yield f"recordings left out: {len(parts.skipped)}; first: {_text(parts.skipped[0])}"


def _text(error: InputError) -> str:
    return " ".join(str(error).split())
