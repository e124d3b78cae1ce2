"""`seqflow recipes`: the recipes that come with seqflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import MARKUP, JsonOption, RecipeArgument, examples

app = typer.Typer(
    rich_markup_mode=MARKUP,
    help="List, show and copy the recipes that come with seqflow.",
    epilog=examples(
        "seqflow recipes",
        "seqflow recipes show toy/sine",
        "seqflow recipes copy audio/machine mine.yaml",
        "seqflow recipes schema > recipe.schema.json",
    ),
)


@app.callback(invoke_without_command=True)
def recipes(context: typer.Context, json: JsonOption = False) -> None:
    """List, show and copy the recipes that come with seqflow."""
    if context.invoked_subcommand is None:
        list_(json)


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the recipes, as `seqflow recipes` alone does."""
    from seqflow.recipe import shelf

    found = shelf()
    if json:
        console.say_json(found)
        return
    console.table(
        ["name", "data", "window", "rate (Hz)", "what it models"],
        [
            [
                one.name,
                one.kind,
                str(one.window),
                "-" if one.rate is None else f"{one.rate:g}",
                one.description,
            ]
            for one in found
        ],
        right=["window", "rate (Hz)"],
    )


@app.command("show", epilog=examples("seqflow recipes show toy/sine"))
def show(name: RecipeArgument) -> None:
    """Print a recipe as it stands in its file."""
    from seqflow.recipe import read

    console.say_text(read(name))


@app.command("copy", epilog=examples("seqflow recipes copy audio/machine mine.yaml"))
def copy(
    name: RecipeArgument,
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DEST]",
            help="The file to write, not yet there, or a folder. Left out: here, by its own name.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy a recipe, to change it."""
    from seqflow.recipe import copy as copy_recipe

    console.say(str(copy_recipe(name, destination or Path())))


@app.command("schema", epilog=examples("seqflow recipes schema > recipe.schema.json"))
def schema() -> None:
    """Print the JSON schema of recipes, for editors."""
    from seqflow.recipe import schema as recipe_schema

    console.say_json(recipe_schema())
