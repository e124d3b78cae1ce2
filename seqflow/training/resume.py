"""Whether a saved training may go on with this recipe and these data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..classes import Classes
from ..errors import UsageError
from ..recipe import Recipe

# Without influence on the weights: where the data lie (their fingerprint tells whether they are the same),
# how they are read, and what is shown.
_FREE = {
    ("data", "root"),
    ("data", "cache"),
    ("data", "cache_mb"),
    ("train", "workers"),
    ("train", "log_every"),
    ("train", "tensorboard"),
}
_PARTS = ("seed", "data", "model", "train")


def check_recipe(out: Path, begun: Recipe, given: Recipe) -> None:
    """Raise UsageError, naming the first key, where the recipe asks for another training than was begun.

    More steps may be asked for: the training then goes on beyond its former end, with the learning rate of
    the new schedule.
    """
    before, now = (recipe.model_dump(mode="json", include=set(_PARTS)) for recipe in (begun, given))
    if now["train"]["steps"] > before["train"]["steps"]:
        now["train"]["steps"] = before["train"]["steps"]
    for part in _PARTS:
        found = _difference(before[part], now[part], (part,))
        if found is not None:
            path, old, new = found
            raise UsageError(
                f"{out}: {'.'.join(map(str, path))}: the run was begun with {_short(old)}, not "
                f"{_short(new)}; resume with the recipe in {out / 'recipe.yaml'}, or choose another --out"
            )


def check_data(out: Path, begun: str, found: str, allow_change: bool) -> bool:
    """Whether the data have changed. Raises UsageError where they have and may not."""
    if begun == found:
        return False
    if not allow_change:
        raise UsageError(
            f"{out}: the data have changed since the run was begun; bring them back, or give "
            "--allow-data-change to go on with what is there now"
        )
    return True


def check_classes(out: Path, begun: dict[str, list[str]], found: dict[str, list[str]]) -> None:
    """Raise UsageError where the conditions have other values now: weights belong to single values."""
    for name in begun.keys() | found.keys():
        before, now = begun.get(name, []), found.get(name, [])
        if before != now:
            gone = [value for value in before if value not in now]
            new = [value for value in now if value not in before]
            which = f"{gone[0]!r} is gone" if gone else f"{new[0]!r} is new"
            raise UsageError(
                f"{out}: data.conditions.{name}: its values have changed since the run was begun: {which}; "
                "bring the data back, or choose another --out"
            )


def plain(classes: Classes) -> dict[str, list[str]]:
    """Classes as JSON has them."""
    return {name: list(values) for name, values in classes.values.items()}


def _difference(
    old: Any, new: Any, path: tuple[str | int, ...]
) -> tuple[tuple[str | int, ...], Any, Any] | None:
    """The first place where two values of plain types differ, with what each has there."""
    if path in _FREE:
        return None
    if isinstance(old, dict) and isinstance(new, dict):
        # A layer of another kind has other keys: the kind is what to name.
        for key in sorted(old.keys() | new.keys(), key=lambda k: k != "kind"):
            found = _difference(old.get(key), new.get(key), (*path, key))
            if found is not None:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            found = _difference(a, b, (*path, index))
            if found is not None:
                return found
        return None
    return None if old == new else (path, old, new)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} entries"
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
