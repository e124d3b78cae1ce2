"""What is declared about a recording: values of conditions, from its path, its manifest or its sidecar."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..recipe.data import CommonData, ConditionConfig, DataConfig, FileData
from .sidecar import read_text


def conditions_of(path: Path, config: DataConfig, columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """The values, by the names of `data.conditions`, of a file; those that are not declared are left out.

    Expressions are searched for in the path below data.root, `/` as separator; in the path as it is given
    where the file lies elsewhere. `columns` are those of the file in a manifest. An empty value is none.

    Raises InputError `sidecar` for one that is damaged.
    """
    found = {}
    for name, source in config.conditions.items():
        if value := _value(path, config, source, columns or {}):
            found[name] = value
    return found


def packed_conditions(
    name: str, config: CommonData, columns: Mapping[str, str], sidecar: Mapping[str, str]
) -> dict[str, str]:
    """The values of a file that was packed into shards: by its name, its manifest's columns, its sidecar."""
    found = {}
    for key, source in config.conditions.items():
        if source.path is not None:
            value = _search(source.path, name)
        elif source.column is not None:
            value = columns.get(source.column, "").strip()
        else:
            value = sidecar.get(source.sidecar or "")
        if value:
            found[key] = value
    return found


def name_conditions(name: str, config: CommonData) -> dict[str, str]:
    """The values that the name of a made-up recording declares."""
    sources = config.conditions.items()
    return {key: value for key, source in sources if source.path and (value := _search(source.path, name))}


def require(where: str | Path, config: CommonData, conditions: Mapping[str, str]) -> None:
    """Raise InputError `missing_condition` where a condition of `data.conditions` has no value."""
    for name, source in config.conditions.items():
        if name in conditions:
            continue
        if source.path is not None:
            reason = f"its path does not match {source.path!r}"
        elif source.column is not None:
            reason = f"the manifest has no value for it in the column {source.column!r}"
        else:
            reason = f"the JSON file beside it has no value for it under {source.sidecar!r}"
        raise InputError(
            where,
            "missing_condition",
            f"has no {name}: {reason}; correct data.conditions.{name}, or leave the file out by data.exclude",
        )


def _value(path: Path, config: DataConfig, source: ConditionConfig, columns: Mapping[str, str]) -> str | None:
    if source.path is not None:
        return _search(source.path, _below_root(path, config))
    if source.column is not None:
        return columns.get(source.column, "").strip()
    assert source.sidecar is not None
    return read_text(path, source.sidecar)


def _search(expression: str, name: str) -> str | None:
    match = re.search(expression, name)
    return match.group(1) if match else None


def _below_root(path: Path, config: DataConfig) -> str:
    if isinstance(config, FileData):
        # Made absolute, not resolved: a link has the name it was found by.
        whole, root = Path(os.path.abspath(path)), os.path.abspath(config.root)  # noqa: PTH100
        if whole.is_relative_to(root):
            return whole.relative_to(root).as_posix()
    return path.as_posix()
