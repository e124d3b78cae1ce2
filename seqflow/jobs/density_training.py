"""Models for a comparison, each trained in a folder of its own unless it lies there finished."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import Interrupted
from ..files import make_folder, write_text
from ..model import BEST, LAST, Model
from ..recipe import Recipe
from ..training import Event, Saved, train

COST = "cost.json"
"""Name in the folder of a run: CPU seconds that its training took so far."""


def trained(
    recipe: Recipe, folder: Path, *, device: str = "auto", on_event: Callable[[Event], None] | None = None
) -> tuple[Model, float | None]:
    """The model of a recipe, and the CPU seconds of its training, validations and calibration among them.

    A training that was stopped goes on; of one that was begun elsewhere the seconds are not known, and those
    of processes that load data are not counted. Raises what `training.train` does.
    """
    there = any((folder / name).exists() for name in (LAST, BEST))
    resume = there or (folder / "log.jsonl").exists() or (folder / "recipe.yaml").exists()
    before = cpu_seconds(folder) if there else 0.0
    begin = time.process_time()

    def keep() -> None:
        if before is not None:
            spent = before + time.process_time() - begin
            write_text(make_folder(folder) / COST, json.dumps({"cpu_seconds": spent}) + "\n")

    worked = False

    def watch(event: Event) -> None:
        nonlocal worked
        if isinstance(event, Saved):
            worked = True
            keep()
        if on_event is not None:
            on_event(event)

    try:
        model = train(recipe, folder, resume=resume, device=device, on_event=watch)
    except Interrupted as error:
        raise Interrupted(f"{str(error).split(';')[0]}; the same command goes on from there") from error
    if worked:
        keep()
    return model, cpu_seconds(folder)


def cpu_seconds(run: Path) -> float | None:
    """CPU seconds that the training of a run took; None where they were not counted."""
    try:
        value = json.loads((run / COST).read_text(encoding="utf-8"))["cpu_seconds"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = isinstance(value, int | float) and math.isfinite(value) and value >= 0.0
    return float(value) if known else None
