"""What the readers of tables hand to series.py: the chosen columns of a file, whole and in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import InputError
from .numbers import NotANumberError, clean, numbers, text_of

# Two GiB as float64. A larger table is better cut up, or stored as a NumPy array, which is read in place.
MOST_VALUES = 1 << 28


@dataclass
class Table:
    """Columns of n rows.

    Attributes:
        names: names of the value columns (C).
        named: false where `names` are but the numbers of the columns.
        columns: the values, C arrays (n,) float64; NaN where missing, infinite where the file says so.
        time: one column of time stamps, or two of dates and times of day, as they are in the file.
        label: (n,) true where a row is labelled anomalous; None without labels.
        row_of: the number of a row as an editor shows it, from its index.
        status, detail: as of a Recording.
    """

    names: tuple[str, ...]
    named: bool
    columns: list[NDArray[np.float64]]
    time: list[pa.ChunkedArray] = field(default_factory=list)
    label: NDArray[np.bool_] | None = None
    row_of: Callable[[int], int] = lambda index: index + 1
    status: str = "ok"
    detail: str = ""


def check_size(path: Path, rows: int, columns: int) -> None:
    """Raise InputError `too_large` where a table would not fit the memory set aside for one."""
    if rows * columns > MOST_VALUES:
        raise InputError(
            path,
            "too_large",
            f"holds more than {MOST_VALUES} values; cut it into several files, or store it as a NumPy array",
        )


def labels_of(cells: pa.Array) -> NDArray[np.bool_]:
    """Label cells, of numbers, of true and false, or of text that says so, as (n,) bool; missing: false.

    Raises NotANumberError.
    """
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_boolean(cells.type):
        return np.asarray(pc.fill_null(cells, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = clean(cells.cast(pa.string()))
        lower = pc.ascii_lower(cells)
        for word, digit in (("true", "1"), ("false", "0")):
            cells = pc.if_else(pc.fill_null(pc.equal(lower, word), False), digit, cells)
        values = numbers(cells)
    else:
        try:
            values = np.asarray(pc.cast(cells, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise NotANumberError(0, text_of(cells[0])) from None
    return np.asarray(np.nan_to_num(values) != 0.0)
