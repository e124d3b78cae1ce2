"""Overrides of single values of a recipe: `train.lr=1e-4`."""

from __future__ import annotations

from typing import Any

from ..errors import RecipeError
from .yaml_text import Document, Path, Place, dotted, read_yaml


def override(document: Document, text: str) -> list[str]:
    """Set one value of the document in place, `key.key=value` with the value in YAML. Returns the faults.

    Mappings on the way that are not there yet are made; list entries must exist. What is set is said to stand
    at `--set key.key=value`.
    """
    source = f"--set {text}"
    name, equals, value_text = text.partition("=")
    keys = [key.strip() for key in name.split(".")]
    if not equals or not all(keys):
        return [f"{source}: is not of the form key.key=value, such as train.steps=500"]
    try:
        value = read_yaml(value_text, source)
    except RecipeError as error:
        return error.problems
    path: list[str | int] = []
    around: Any = document.data
    for key in keys[:-1]:
        fault = _fault(around, key, tuple(path), source)
        if fault:
            return [fault]
        path.append(int(key) if isinstance(around, list) else key)
        if isinstance(around, dict) and around.get(key) is None:
            around[key] = {}
            document.keys[tuple(path)] = document.values[tuple(path)] = Place(source)
        around = around[path[-1]]
    fault = _fault(around, keys[-1], tuple(path), source)
    if fault:
        return [fault]
    path.append(int(keys[-1]) if isinstance(around, list) else keys[-1])
    around[path[-1]] = value.data
    _move_in(document, value, tuple(path), Place(source))
    return value.problems


def _fault(around: Any, key: str, path: Path, source: str) -> str | None:
    if isinstance(around, list):
        if not key.isascii() or not key.isdigit() or len(key) > 9:
            last = len(around) - 1
            return (
                f"{source}: {dotted(path)}: is a list; give the number of an entry, 0 to {last}, not {key!r}"
            )
        if int(key) >= len(around):
            return f"{source}: {dotted(path)}: has no entry {key}; the last is {len(around) - 1}"
    elif not isinstance(around, dict):
        return f"{source}: {dotted(path)}: is a single value and has no key {key!r}"
    return None


def _move_in(document: Document, value: Document, path: Path, place: Place) -> None:
    """Places of what was there go; all of the new value stands at the override."""
    for places in (document.keys, document.values):
        for old in [old for old in places if old[: len(path)] == path]:
            del places[old]
    document.keys[path] = document.values[path] = place
    for inner in value.values:
        document.values[(*path, *inner)] = place
    for inner in value.keys:
        document.keys[(*path, *inner)] = place
