"""Which models are measured, and on which data: recipes, runs and settings become whole recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ..errors import RecipeError, UsageError
from ..model import Model
from ..recipe import Recipe, dump, load, parse

# Other values of these leave the held-out windows as they are.
_FREE = {"hop", "augment", "conditions", "cache", "cache_mb", "window"}


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        recipes: to train, names all different.
        runs: trained models, with the paths they were given by.
        data: the recipe whose data section all are measured on.
    """

    recipes: tuple[Recipe, ...]
    runs: tuple[tuple[Path, Model], ...]
    data: Recipe


def plan(
    recipes: Sequence[str | Path],
    runs: Sequence[str | Path],
    data: str | Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
) -> Plan:
    """Load recipes and runs. Without `data` the data are those of the first recipe, or else the first run.

    With `data` every recipe lends its `model` alone, and all the rest is that of `data`: the same recordings,
    steps and learning rate for all. `overrides` then go to it, but for those of `model.`, which go to the
    recipes. Without it they go to every recipe, and their data may differ in nothing but how training windows
    are cut.

    Raises RecipeError for faults in a recipe, UsageError where nothing is asked for, names are there twice,
    or recipes have different data; CheckpointError for a run that holds no model.
    """
    if not recipes and not runs and data is None:
        raise UsageError("benchmark density: nothing to measure; give a recipe, --run, or --data")
    models = tuple((Path(run), Model.load(run, device)) for run in runs)
    if data is not None:
        for_model = [text for text in overrides if text.startswith("model.")]
        base = load(data, [text for text in overrides if text not in for_model])
        loaded = tuple(_on(base, load(recipe, for_model)) for recipe in recipes)
    else:
        loaded = tuple(load(recipe, overrides) for recipe in recipes)
        base = loaded[0] if loaded else parse(dump(models[0][1].recipe), f"{models[0][0]}", overrides)
    for recipe in loaded:
        _check_data(base, recipe)
    names = [recipe.name for recipe in loaded]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UsageError(f"benchmark density: two recipes have the name {name}; set name in one of them")
    return Plan(loaded, models, base)


def _on(base: Recipe, recipe: Recipe) -> Recipe:
    """The recipe's model, with all the rest of `base`."""
    values = base.model_dump()
    values |= {
        "name": recipe.name,
        "description": recipe.description,
        "model": recipe.model_dump()["model"],
    }
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        lines = [
            f"{recipe.name} on the data of {base.name}: {'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise RecipeError(lines) from None


def _check_data(base: Recipe, recipe: Recipe) -> None:
    ours, theirs = (one.data.model_dump(exclude=_FREE) for one in (base, recipe))
    for key in sorted(ours.keys() | theirs.keys(), key=lambda key: key != "kind"):
        if ours.get(key) != theirs.get(key):
            raise UsageError(
                f"benchmark density: data.{key}: {recipe.name} has other data than {base.name}; give --data "
                "with the recipe whose data all models shall have"
            )
