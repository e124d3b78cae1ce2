"""What the readers of tables hand to series.py: the chosen columns of a file, and its time stamps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .cells import Cells
from .numbers import NotANumberError, clean, numbers, text_of
from .spool import Spool


@dataclass
class Table:
    """Columns of n rows.

    Attributes:
        names: names of the value columns (C).
        named: false where `names` are but the numbers of the columns.
        values: (n, width) float64; NaN where missing, infinite where the file says so.
        columns: the places (C) of the value columns in `values`.
        label: the place of the labels, 1 where a row is labelled anomalous, else 0; None without labels.
        time: one column of time stamps, or two of dates and times of day, as they are in the file.
        row_of: the number of a row as an editor shows it, from its index.
        status, detail: as of a Recording.
    """

    names: tuple[str, ...]
    named: bool
    values: Spool
    columns: tuple[int, ...]
    label: int | None = None
    time: Cells | None = None
    row_of: Callable[[int], int] = lambda index: index + 1
    status: str = "ok"
    detail: str = ""

    def labels(self) -> NDArray[np.bool_] | None:
        """(n,) true where a row is labelled anomalous."""
        if self.label is None:
            return None
        parts = [block[:, 0] != 0.0 for block in self.values.blocks((self.label,))]
        return np.concatenate(parts)


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
