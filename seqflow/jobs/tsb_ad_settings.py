"""What decides on the scores of a detector, and a digest of it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..detector import Detect
from ..errors import UsageError

_FORMAT = 1
"""Of what the worker stores, and of how it judges."""


def settings_of(detect: Detect) -> dict[str, Any]:
    """Name and settings of a detector, in what JSON has.

    Raises UsageError for one that a worker process cannot find by its name, or whose settings are no plain
    values.
    """
    kind = type(detect) if is_dataclass(detect) else detect
    name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"
    if "<" in name or name.endswith(".") or name.startswith("."):
        raise UsageError(
            "detect: must be a function of a module, or an instance of a dataclass of one: worker processes "
            "find it by its name"
        )
    try:
        found: dict[str, Any] = plain(detect) if is_dataclass(detect) else {}
        json.dumps(found, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"detect: {name}: a setting is no plain value: {error}") from None
    return {"detector": name, **found}


def key_of(detect: Detect, settings: Mapping[str, Any], protocol: str) -> str:
    """Digest of all but the input that decides on a result: settings, protocol, version, and the source.

    Of the source, what lies below the jobs, and the detector's own module: while one works on a detector, no
    result of an earlier state of it stands for a later one.
    """
    told = json.dumps(
        {"format": _FORMAT, "version": __version__, "protocol": protocol, "settings": settings},
        sort_keys=True,
    )
    digest = hashlib.sha256(told.encode())
    for path in _sources(detect):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def plain(value: Any) -> Any:
    """The value in what JSON has: dataclasses and recipes become mappings, numbers of NumPy plain ones.

    Raises TypeError for what JSON has nothing for.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    raise TypeError(f"{value!r:.60}")


def _sources(detect: Detect) -> list[Path]:
    package = Path(__file__).parents[1]
    paths = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] != "jobs"]
    own = inspect.getsourcefile(type(detect) if is_dataclass(detect) else detect)
    if own is not None and package not in Path(own).resolve().parents:
        paths.append(Path(own))
    return sorted(paths)
