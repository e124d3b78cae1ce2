"""The background model that a recipe's score names."""

from __future__ import annotations

from pathlib import Path

import torch

from ..errors import CheckpointError, UsageError
from ..model import Model
from ..recipe import Recipe, ScoreConfig
from ..scoring import Background


def load_background(
    path: str | Path,
    recipe: Recipe,
    *,
    channels: int,
    rate: float | None,
    step: float | None,
    device: torch.device | str = "cpu",
) -> Background:
    """The model of a run or file, fit to be compared with one of this recipe and these data.

    Raises CheckpointError where there is none, UsageError where it does not fit.
    """
    try:
        other = Model.load(path, device)
    except CheckpointError as error:
        raise CheckpointError(f"score.background: {error}") from None
    kinds = other.recipe.data.kind, recipe.data.kind
    if kinds[0] != kinds[1] and "synthetic" not in kinds:
        raise UsageError(
            f"score.background: {path} was trained on {kinds[0]}, the model on {kinds[1]}; take one trained "
            "on the same"
        )
    found = other.as_background()
    try:
        found.check(channels=channels, rate=rate, window=recipe.data.window, step=step)
    except UsageError as error:
        raise UsageError(f"score.background: {path} {error}") from None
    return found


def background_beside(path: str | Path, model: Model) -> Background:
    """`load_background` for a model that is there already."""
    return load_background(
        path, model.recipe, channels=model.channels, rate=model.rate, step=model.step, device=model.device
    )


def with_background(config: ScoreConfig, path: str | Path) -> ScoreConfig:
    """The same score with the term `ratio` and this background model."""
    terms = config.terms if "ratio" in config.terms else (*config.terms, "ratio")
    return config.model_copy(update={"background": str(path), "terms": terms})
