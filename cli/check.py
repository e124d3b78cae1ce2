"""`seqflow check`: is a recipe sound, and what does it say."""

from __future__ import annotations

from . import console
from .options import JsonOption, RecipeArgument, SetOption, examples

EXAMPLES = examples(
    "seqflow check toy/sine",
    "seqflow check mine.yaml --set train.steps=500 --set data.root=recordings",
)


def check(recipe: RecipeArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Check a recipe and tell what it says.

    All faults come at once, each with its line and a way out.
    """
    from seqflow.recipe import load, missing, summary

    loaded = load(recipe, set_ or ())
    if json:
        console.say_json(loaded.model_dump(mode="json"))
        return
    console.pairs(summary(loaded))
    if (lack := missing(loaded)) is not None:
        console.note(f"note: {lack}")
