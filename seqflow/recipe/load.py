"""A recipe from text, a file or the recipes that come with seqflow; overrides; all faults at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import RecipeError
from .checks import between_parts
from .data import DataConfig
from .model import ModelConfig
from .override import override
from .problems import between_lines, in_order, problem_lines
from .recipe import Recipe
from .run import SampleConfig, ScoreConfig
from .shipped import find
from .yaml_text import MOST_CHARACTERS, read_yaml


def load(recipe: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a file, or the shipped one of this name.

    `recipe` is a file if it exists or ends in .yaml or .yml, else a name such as `audio/fsdd`. `overrides`
    are `key.key=value`, values in YAML, list entries by their number from 0: `model.layers.2.taps=16`.
    Relative paths in a recipe are taken from the current directory. Raises RecipeError with all faults.
    """
    path = _path(recipe)
    return parse(_read(path), str(path), overrides)


def read(recipe: str | Path) -> str:
    """The text of a recipe, found as `load` does, not checked. Raises RecipeError where it cannot be read."""
    return _read(_path(recipe))


def parse(text: str, name: str = "recipe", overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML text; `name` stands for the file in messages. Raises RecipeError, see `load`."""
    document = read_yaml(text, name)
    lines = list(document.problems)
    if document.data is None:
        raise RecipeError([f"{document.values[()]}: recipe: is empty"])
    if not isinstance(document.data, dict):
        raise RecipeError([f"{document.values[()]}: recipe: must be a mapping of keys"])
    for text_of_override in overrides:
        lines += override(document, text_of_override)
    try:
        recipe = Recipe.model_validate(document.data)
    except ValidationError as error:
        lines += problem_lines(error, document)
        if not any(detail["loc"] == () for detail in error.errors()):
            lines += between_lines(between_parts(**_good_parts(document.data)), document)
        raise RecipeError(in_order(lines, document)) from None
    if lines:
        raise RecipeError(in_order(lines, document))
    return recipe


def _good_parts(data: dict[str, Any]) -> dict[str, Any]:
    """The parts that are sound by themselves, so that faults between them show beside faults elsewhere."""
    kinds: dict[str, Any] = {
        "data": DataConfig,
        "model": ModelConfig,
        "score": ScoreConfig,
        "sample": SampleConfig,
    }
    parts = {}
    for name in kinds.keys() & data.keys():
        try:
            parts[name] = TypeAdapter(kinds[name]).validate_python(data[name])
        except ValidationError:
            continue
    return parts


def _path(recipe: str | Path) -> Path:
    path = Path(recipe)
    named = isinstance(recipe, Path) or recipe.endswith((".yaml", ".yml"))
    if named or (path.exists() and not path.is_dir()):
        return path
    try:
        return find(str(recipe))
    except RecipeError:
        if recipe and path.is_dir():
            raise RecipeError([f"{path}: is a folder; give a YAML file or the name of a recipe"]) from None
        raise


def _read(path: Path) -> str:
    try:
        # A pipe would be waited for, and a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise RecipeError([f"{path}: is not a file; give a YAML file or the name of a recipe"])
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > 4 * MOST_CHARACTERS:
                raise RecipeError(
                    [f"{path}: has {size} bytes; a recipe has at most {MOST_CHARACTERS} characters"]
                )
            return file.read(4 * MOST_CHARACTERS + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RecipeError([f"{path}:{line}: is not UTF-8 text (byte {error.start})"]) from None
    except FileNotFoundError:
        raise RecipeError([f"{path}: no such file"]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RecipeError([f"{path}: cannot be read: {reason}"]) from None
