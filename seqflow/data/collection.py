"""All recordings that a recipe's `data` names, opened and with the digests of their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError, UsageError
from ..recipe.data import DataConfig, FileData, SyntheticData
from .conditions import require
from .digest import file_digest, recording_digest
from .discover import Report, find_files
from .item import Item, Items, Loose
from .manifest import Entry, read_manifest
from .open import open_recordings
from .shard_format import is_sharded
from .shards import open_shards
from .synthetic import make_recordings


def open_collection(data: DataConfig, strict: bool, on_error: Report) -> Items:
    """Everything that can be opened, sorted by name; what cannot goes to `on_error`.

    Raises UsageError where nothing is left, naming the first fault, and InputError for a faulty manifest.
    """
    if isinstance(data, SyntheticData):
        return _made_up(data, on_error)
    if is_sharded(data.root):
        return open_shards(data, strict, on_error)
    faults: list[InputError] = []

    def report(error: InputError) -> None:
        faults.append(error)
        on_error(error)

    entries = manifest_entries(data)
    items = []
    files = find_files(data, report)
    for path in files:
        name = path.relative_to(data.root).as_posix()
        try:
            entry = entries.get(name)
            columns = None if entry is None else entry.conditions
            found = open_recordings(path, data, name=name, strict=strict, columns=columns)
            require(path, data, found[0].conditions)
            size = path.stat().st_size
            items.append(Item(name, path, found, file_digest(path), size, entry.split if entry else None))
        except InputError as error:
            report(error)
        except OSError as error:
            report(InputError(path, "unreadable", f"{error.strerror or error}; it was there a moment ago"))
    if not items:
        raise UsageError(
            f"data.root: {data.root}: none of {len(files)} files can be used; first: {faults[0]}"
        )
    return Loose(items)


def _made_up(data: SyntheticData, on_error: Report) -> Items:
    items = []
    for recording in make_recordings(data):
        try:
            require(recording.name, data, recording.conditions)
        except InputError as error:
            on_error(error)
            continue
        size = recording.length * recording.channels
        items.append(Item(recording.name, None, [recording], recording_digest(recording), size))
    return Loose(items)


def manifest_entries(data: FileData) -> Mapping[str, Entry]:
    """The entries of `data.manifest` by name; none where there is no manifest.

    Raises InputError for a faulty one, and where no file of it has the column of a condition.
    """
    if data.manifest is None:
        return {}
    entries = {entry.name: entry for entry in read_manifest(Path(data.root), data.manifest)}
    for name, source in data.conditions.items():
        if source.column is not None and not any(
            source.column in entry.conditions for entry in entries.values()
        ):
            raise InputError(
                Path(data.root, data.manifest),
                "missing_column",
                f"has no column {source.column!r}, which data.conditions.{name} names; correct one of them",
            )
    return entries
