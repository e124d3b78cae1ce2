"""Parquet files, by pyarrow. The chosen columns are read once, on opening; others are never decoded.

Their numbers are kept, see spool.py: a span would cost a row group, which may have any size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from ..errors import InputError
from ..recipe.data import SeriesData
from .cells import Cells
from .columns import Choice, choose
from .numbers import NotANumberError
from .regular import unreadable
from .spool import Spool
from .table import Table, labels_of

# Rows decoded together, and bytes of each column read ahead: a row group may be larger than memory. What
# pyarrow itself would read ahead (`pre_buffer`) it keeps to the end of the file.
_ROWS = 1 << 16
_AHEAD = 1 << 20
# So many values, 2 GiB, and beyond that so many for every byte of the file; what holds more was made to.
MOST_VALUES = 1 << 28
_MOST_PER_BYTE = 16


def read_parquet(path: Path, config: SeriesData, names: tuple[str, ...] | None) -> Table:
    """The chosen columns of a Parquet file. Numbers of any kind and true/false are values, null is missing.

    With `time: auto` and no column of a time's name, the only column of type timestamp is the time. Rows are
    counted from 1.

    Raises InputError: `not_numeric`, `empty`, `too_large`, `corrupt`, `unreadable`, and those of `choose`;
    and ResourceError where a large file needs more room than TMPDIR has.
    """
    try:
        with (
            path.open("rb") as opened,
            pyarrow.parquet.ParquetFile(
                opened, page_checksum_verification=True, buffer_size=_AHEAD, pre_buffer=False
            ) as file,
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
    width = len(values) + (choice.label is not None)
    most = max(MOST_VALUES, _MOST_PER_BYTE * path.stat().st_size) // width
    _check_size(path, file.metadata.num_rows, most, width)
    table = Table(
        names=tuple(have[i] for i in values),
        named=True,
        values=Spool(path, np.float64, width),
        columns=tuple(range(len(values))),
        label=None if choice.label is None else len(values),
        time=Cells(path) if choice.time else None,
    )
    used = sorted({*values, *choice.time, *(() if choice.label is None else (choice.label,))})
    for batch in file.iter_batches(_ROWS, columns=[schema.names[i] for i in used], use_threads=False):
        # A file may hold more than it declares.
        _check_size(path, table.values.length + batch.num_rows, most, width)
        columns = {i: batch.column(schema.names[i]) for i in used}
        table.values.append(_numbers(path, columns, values, choice, have))
        if table.time is not None:
            table.time.append([columns[i] for i in choice.time])
    return table


def _check_size(path: Path, rows: int, most: int, width: int) -> None:
    if rows > most:
        raise InputError(
            path,
            "too_large",
            f"holds more than {most * width} values, far more than its size lets expect; name fewer columns "
            "in data.columns, or cut it into several files",
        )


def _numbers(
    path: Path, columns: dict[int, pa.Array], values: tuple[int, ...], choice: Choice, have: list[str]
) -> NDArray[np.float64]:
    """The values, and the labels behind them, of a block of rows (n, width)."""
    found = [_floats(columns[i]) for i in values]
    if choice.label is not None:
        try:
            found.append(labels_of(columns[choice.label]).astype(np.float64))
        except NotANumberError as error:
            raise InputError(
                path, "not_numeric", f"column {have[choice.label]!r}: {error}; labels are 0 and 1"
            ) from None
    return np.stack(found, axis=1)


def _numeric(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    )


def _floats(column: pa.Array) -> NDArray[np.float64]:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _corrupt(path: Path, error: Exception) -> InputError:
    text = " ".join(str(error).split())[:100]
    return InputError(path, "corrupt", f"is no whole Parquet file: {text}; copy or write it anew")
