"""The recipes that come with seqflow, by name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from ..errors import RecipeError

_PACKAGE = "seqflow_recipes"


def names() -> list[str]:
    """Names of the shipped recipes, such as `audio/fsdd`, sorted."""
    return sorted(name for name, _ in _recipes(files(_PACKAGE), ""))


def find(name: str) -> Path:
    """File of a shipped recipe. Raises RecipeError for an unknown name, with the nearest one."""
    from .nearest import nearest

    found = dict(_recipes(files(_PACKAGE), ""))
    if name in found:
        return Path(str(found[name]))
    short = {known.rsplit("/", 1)[-1]: known for known in found}
    near = nearest(name, found) or short.get(nearest(name, short) or "")
    hint = f"nearest '{near}'" if near else "known: " + ", ".join(sorted(found))
    raise RecipeError([f"{name!r}: no such file, and no recipe of this name; {hint}"])


def _recipes(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _recipes(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name.removesuffix(".yaml"), entry
