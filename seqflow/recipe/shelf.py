"""The shipped recipes at a glance, and copies of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ResourceError, UsageError
from ..files import write_text
from .load import load, read
from .shipped import find, names


@dataclass(frozen=True)
class Shelved:
    """A shipped recipe in a few words. `window` in samples; `rate` in Hz, None where the data tell."""

    name: str
    kind: str
    window: int
    rate: float | None
    description: str


def shelf() -> list[Shelved]:
    """All shipped recipes, by name."""
    found = []
    for name in names():
        # By path: a file or folder of this name where the user stands is not meant.
        recipe = load(find(name))
        data = recipe.data
        found.append(Shelved(name, data.kind, data.window, data.rate, recipe.description))
    return found


def copy(name: str, destination: Path) -> Path:
    """Write a copy of a recipe, comments and all, to the file or into the folder; returns the new file.

    Raises RecipeError for an unknown name, UsageError where there is something at the destination already,
    ResourceError where it cannot be written.
    """
    text = read(name)
    path = destination / f"{Path(name).stem}.yaml" if destination.is_dir() else destination
    if os.path.lexists(path):
        raise UsageError(f"{path}: is there already; give another name")
    if not path.parent.is_dir():
        raise ResourceError(f"{path}: no such folder: {path.parent}; make it first")
    write_text(path, text)
    return path
