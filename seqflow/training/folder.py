"""What lies in the folder of a run, and whether there is anything to go on from."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import CheckpointError, UsageError
from ..model import BEST, LAST, Model
from ..recipe import Recipe
from .state import State, load_state

RECIPE = "recipe.yaml"
LOG = "log.jsonl"
BOARD = "tensorboard"


def find_state(out: Path, resume: bool) -> State | None:
    """The saved state to go on from; None to begin. The folder must be locked.

    Raises UsageError where the folder is not what `resume` takes it for, CheckpointError where the state is
    damaged.
    """
    there = [name for name in (LAST, BEST, LOG, RECIPE) if (out / name).exists()]
    if not resume:
        if there:
            raise UsageError(f"{out}: holds a run already ({there[0]}); choose another --out, or --resume it")
        return None
    if not there:
        raise UsageError(f"{out}: holds no run to resume; leave out --resume")
    for left_over in out.glob(".*.tmp"):
        left_over.unlink(missing_ok=True)
    if LAST in there:
        return load_state(out / LAST)
    if BEST in there:
        raise UsageError(f"{out}: holds a model but no {LAST} to go on from; choose another --out")
    # Stopped before its first checkpoint: begin again.
    return None


def finished_model(out: Path, state: State, recipe: Recipe, device: torch.device) -> Model | None:
    """The model of a run that has nothing left to do for this recipe; None where there is something."""
    if not state.progress.finished or recipe.train.steps != state.recipe.train.steps:
        return None
    try:
        model = Model.load(out, device)
    except CheckpointError:
        return None
    return model if model.recipe == recipe else None
