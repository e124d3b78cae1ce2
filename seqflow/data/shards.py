"""A folder of shards as the collection of files that was packed into it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from ..errors import InputError, UsageError
from ..recipe.data import FileData
from .conditions import packed_conditions, require
from .discover import Report
from .globs import Globs
from .item import Item
from .recording import Kind
from .shard_format import INDEX, INDEX_SCHEMA, Header, check_reading, read_header
from .shard_map import ShardMap
from .shard_recording import ShardRecording

_Declared = dict[tuple[tuple[str, str], ...], Mapping[str, str]]


def open_shards(data: FileData, strict: bool, on_error: Report) -> list[Item]:
    """The items of a recipe's `data` whose root is a folder of shards, sorted by name.

    As of loose files: `data.files` and `data.exclude` go by their names, conditions by names, manifest and
    sidecars as they were when packed, and what cannot be used goes to `on_error`.

    Raises UsageError where nothing is left, or the recipe would have read the files in another way, and
    InputError for damaged shards.
    """
    root = Path(data.root)
    header = read_header(root)
    check_reading(data, header)
    wanted = _wanted(data, header)
    faults: list[InputError] = []
    items: list[Item] = []
    shards, rows = _read_index(root)
    known: _Declared = {}
    count = 0
    # A row for every stretch; those of a file follow each other.
    for packed, stretches in groupby(rows, key=_name):
        count += 1
        name = os.fsdecode(packed)
        if not wanted(name):
            continue
        try:
            items.append(_item(root, name, list(stretches), shards, known, data, strict))
        except InputError as error:
            faults.append(error)
            on_error(error)
    if items:
        return items
    if faults:
        raise UsageError(f"data.root: {root}: none of {count} files can be used; first: {faults[0]}")
    raise UsageError(f"data.files: {root}: none of the {count} files in the shards is asked for; correct it")


class _Row(NamedTuple):
    """A row of the index, its columns by their names there; the pieces as numbers of the first and behind."""

    name: bytes
    stretch: int
    kind: Kind
    channels: int
    channel_names: tuple[str, ...]
    double: bool
    length: int
    start: int
    rate: float | None
    step: float | None
    status: str
    detail: str
    digest: bytes
    size: int
    split: str | None
    declared: str | None
    first: int
    last: int


def _name(row: _Row) -> bytes:
    return row.name


def _read_index(root: Path) -> tuple[ShardMap, Iterator[_Row]]:
    try:
        with pa.memory_map(str(root / INDEX)) as source:
            table = pa.ipc.open_file(source).read_all().combine_chunks()
        if table.schema != INDEX_SCHEMA:
            raise pa.ArrowInvalid("other columns")
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(root / INDEX, "corrupt", f"{reason}; copy it anew, or pack anew") from None
    pieces = table.column("pieces").combine_chunks()
    places = pieces.flatten()
    names = (field.name for field in INDEX_SCHEMA.field("pieces").type.value_type)
    shards = ShardMap(root, {name: places.field(name).to_numpy() for name in names})
    ends = pieces.offsets.to_numpy() - pieces.offsets[0].as_py()
    columns = {name: table.column(name).combine_chunks() for name in INDEX_SCHEMA.names[:-1]}
    return shards, _rows(columns, ends)


def _rows(columns: dict[str, Any], ends: Any) -> Iterator[_Row]:
    # Texts that are the same in many rows are one object.
    few = {"kind", "channel_names", "rate", "step", "status", "detail", "split", "declared"}
    lists: list[Sequence[Any]] = []
    for name, column in columns.items():
        if name == "channel_names":
            lists.append(_channel_names(column))
        elif name in few:
            coded = column.dictionary_encode()
            values = coded.dictionary.to_pylist()
            lists.append([None if i is None else values[i] for i in coded.indices.to_pylist()])
        elif pa.types.is_integer(column.type):
            lists.append(column.to_numpy().tolist())
        else:
            lists.append(column.to_pylist())
    edges = ends.tolist()
    yield from map(_Row, *lists, edges[:-1], edges[1:])


def _channel_names(column: Any) -> list[tuple[str, ...]]:
    if not len(column.flatten()):
        return [()] * len(column)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    return [known.setdefault(names, names) for names in map(tuple, column.to_pylist())]


def _wanted(data: FileData, header: Header) -> Callable[[str], bool]:
    """Whether a file of this name is one of the recipe's."""
    files, exclude = list(getattr(data, "files", ())), list(data.exclude)
    if (files, exclude) == (list(header.files), list(header.exclude)):
        return lambda _: True
    excluded = Globs(exclude)
    if data.manifest is not None:
        return lambda name: not excluded.match(name)
    globs = Globs(files)
    return lambda name: globs.match(name) and not excluded.match(name)


def _item(
    root: Path,
    name: str,
    rows: list[_Row],
    shards: ShardMap,
    known: _Declared,
    data: FileData,
    strict: bool,
) -> Item:
    """A file and what is in it. Raises InputError where it is left out."""
    first = rows[0]
    path = f"{root}/{name}"
    if strict and first.status != "ok":
        raise InputError(path, first.status, f"{first.detail}; replace the file, and pack anew")
    conditions: Mapping[str, str] = {}
    if data.conditions:
        declared = json.loads(first.declared) if first.declared else {}
        conditions = packed_conditions(name, data, declared.get("columns", {}), declared.get("sidecar", {}))
        require(path, data, conditions)
        # Most recordings share theirs with others: one mapping for all of them.
        conditions = known.setdefault(tuple(conditions.items()), conditions)
    recordings = [
        ShardRecording(
            shards,
            row.first,
            row.last,
            name=f"{name}#{row.stretch}" if row.stretch else name,
            path=path,
            kind=row.kind,
            channels=row.channels,
            channel_names=row.channel_names,
            double=row.double,
            length=row.length,
            start=row.start,
            rate=row.rate,
            step=row.step,
            status=row.status,
            detail=row.detail,
            digest=first.digest,
            conditions=conditions,
        )
        for row in rows
    ]
    return Item(name, path, [*recordings], first.digest.hex(), first.size, first.split)
