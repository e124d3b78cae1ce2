"""Parquet files, by pyarrow. The chosen columns are read once, on opening; others are never decoded.

A file larger than memory would be read here by its row groups, on demand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from ..errors import InputError
from ..recipe.data import SeriesData
from .columns import choose
from .numbers import NotANumberError
from .regular import unreadable
from .table import Table, check_size, labels_of

_ROWS = 1 << 16


def read_parquet(path: Path, config: SeriesData, names: tuple[str, ...] | None) -> Table:
    """The chosen columns of a Parquet file. Numbers of any kind and true/false are values, null is missing.

    With `time: auto` and no column of a time's name, the only column of type timestamp is the time. Rows are
    counted from 1.

    Raises InputError: `not_numeric`, `empty`, `too_large`, `corrupt`, `unreadable`, and those of `choose`.
    """
    try:
        with (
            path.open("rb") as opened,
            pyarrow.parquet.ParquetFile(opened, page_checksum_verification=True) as file,
        ):
            return _read(path, file, config, names)
    except OSError as error:
        if error.errno is None:  # pyarrow's own
            raise _corrupt(path, error) from None
        raise unreadable(path, error) from None
    except MemoryError:
        raise  # of Arrow, too: the file may be sound
    except pa.ArrowException as error:
        raise _corrupt(path, error) from None


def _read(
    path: Path, file: pyarrow.parquet.ParquetFile, config: SeriesData, names: tuple[str, ...] | None
) -> Table:
    schema = file.schema_arrow
    # pandas stores an index without a name under one of its own.
    have = ["" if name.startswith("__index_level_") else name for name in schema.names]
    clocks = [i for i, kind in enumerate(schema.types) if pa.types.is_timestamp(kind)]
    clock = clocks[0] if len(clocks) == 1 else None
    choice = choose(path, have, config, names, named=True, clock=clock)
    values = choice.values
    if values is None:
        values = tuple(i for i in choice.others if _numeric(schema.types[i]))
    if not values:
        raise InputError(
            path, "not_numeric", "has no column of numbers; name the value columns in data.columns"
        )
    for i in values:
        if not _numeric(schema.types[i]):
            raise InputError(
                path,
                "not_numeric",
                f"column {have[i]!r} is of type {schema.types[i]}; store numbers, or leave it out",
            )
    if file.metadata.num_rows == 0:
        raise InputError(path, "empty", "has no rows; leave it out")
    check_size(path, file.metadata.num_rows, len(values))
    used = sorted({*values, *choice.time, *(() if choice.label is None else (choice.label,))})
    table = _columns(path, file, [schema.names[i] for i in used])
    columns = dict(zip(used, table, strict=True))
    label = None
    if choice.label is not None:
        try:
            label = np.concatenate([labels_of(chunk) for chunk in columns[choice.label].chunks])
        except NotANumberError as error:
            raise InputError(
                path, "not_numeric", f"column {have[choice.label]!r}: {error}; labels are 0 and 1"
            ) from None
    return Table(
        names=tuple(have[i] for i in values),
        named=True,
        columns=[_floats(columns[i]) for i in values],
        time=[columns[i] for i in choice.time],
        label=label,
    )


def _columns(path: Path, file: pyarrow.parquet.ParquetFile, names: list[str]) -> list[pa.ChunkedArray]:
    """The named columns, in blocks, so that a file that holds more than it declares ends early."""
    rows = 0
    parts: list[list[pa.Array]] = [[] for _ in names]
    for batch in file.iter_batches(_ROWS, columns=names, use_threads=False):
        rows += batch.num_rows
        check_size(path, rows, len(names))
        for place, name in enumerate(names):
            parts[place].append(batch.column(name))
    return [pa.chunked_array(chunks) for chunks in parts]


def _numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    )


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _corrupt(path: Path, error: Exception) -> InputError:
    text = " ".join(str(error).split())[:100]
    return InputError(path, "corrupt", f"is no whole Parquet file: {text}; copy or write it anew")
