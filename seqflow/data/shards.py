"""A folder of shards as the collection of files that was packed into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import InputError, UsageError
from ..recipe.data import FileData
from .conditions import packed_conditions, require
from .discover import Report
from .globs import Globs
from .item import Items
from .shard_format import Header, check_reading, read_header, reading_of
from .shard_items import ShardItems
from .shard_table import ShardTable


def open_shards(data: FileData, strict: bool, on_error: Report) -> Items:
    """The items of a recipe's `data` whose root is a folder of shards, sorted by name.

    As of loose files: `data.files` and `data.exclude` go by their names, conditions by names, manifest and
    sidecars as they were when packed, and what cannot be used goes to `on_error`.

    Raises UsageError where nothing is left, or the recipe would have read the files in another way, and
    InputError for damaged shards.
    """
    root = Path(data.root)
    header = read_header(root)
    check_reading(root, data, reading_of(data), header)
    table = ShardTable(root, header)
    first = np.flatnonzero(table.stretch <= 1)
    last = np.append(first[1:], len(table))
    count = len(first)
    if (wanted := _wanted(data, header)) is not None:
        asked = np.array([wanted(name) for name in table.names.rows(first)], np.bool_)
        first, last = first[asked], last[asked]
        if not len(first):
            raise UsageError(
                f"data.files: {root}: none of the {count} files in the shards is asked for; correct it"
            )
    kept, reason = np.ones(len(first), np.bool_), ""
    # Most have the same conditions as others: one mapping for all of them.
    known: dict[tuple[tuple[str, str], ...], int] = {}
    codes = np.zeros(len(first), np.int64)
    refused = ~table.status.equal("ok")[first] & strict
    for index in range(len(first)) if data.conditions else np.flatnonzero(refused).tolist():
        row = first.item(index)
        try:
            if refused[index]:
                text = f"{table.detail[row]}; replace the file, and pack anew"
                raise InputError(table.path(row), table.status[row], text)
            found = packed_conditions(table.names[row], data, *table.declared[row])
            require(table.path(row), data, found)
            codes[index] = known.setdefault(tuple(found.items()), len(known))
        except InputError as error:
            kept[index] = False
            reason = reason or str(error)
            on_error(error)
    if not kept.any():
        raise UsageError(f"data.root: {root}: none of {len(first)} files can be used; first: {reason}")
    conditions = [dict(items) for items in known] or [{}]
    return ShardItems(table, first[kept], last[kept], conditions, codes[kept])


def _wanted(data: FileData, header: Header) -> Callable[[str], bool] | None:
    """Whether a file of this name is one of the recipe's; None for all."""
    files, exclude = list(getattr(data, "files", ())), list(data.exclude)
    if (files, exclude) == (list(header.files), list(header.exclude)):
        return None
    excluded = Globs(exclude)
    if data.manifest is not None:
        return lambda name: not excluded.match(name)
    globs = Globs(files)
    return lambda name: globs.match(name) and not excluded.match(name)
