"""Columns of the index as arrays that take little room: of a million recordings there is no object each.

Shapes: n rows.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Numbers:
    """A column of numbers, put together batch by batch; missing ones, of floats alone, are NaN."""

    def __init__(self) -> None:
        self._parts: list[NDArray[Any]] = []

    def add(self, column: pa.Array) -> NDArray[Any]:
        """A batch; returns its numbers."""
        if pa.types.is_floating(column.type):
            column = column.fill_null(np.nan)
        found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        self._parts.append(small(found.copy()))
        return found

    def done(self) -> NDArray[Any]:
        """The whole column (n,)."""
        whole = small(np.concatenate(self._parts)) if self._parts else np.zeros(0, np.int64)
        self._parts = []
        return whole


class Coded:
    """A column of few different values, each kept once; `values` by their codes (n,)."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}
        self._parts: list[NDArray[Any]] = []
        self.codes: NDArray[Any] = np.zeros(0, np.int64)
        self.values: list[Any] = []

    def add(self, column: pa.Array) -> None:
        """A batch of texts, or of lists of texts, which become tuples."""
        if pa.types.is_list(column.type):
            rows = map(tuple, column.to_pylist()) if len(column.flatten()) else [()] * len(column)
            codes = np.fromiter((self._place(one) for one in rows), np.int64, len(column))
        else:
            coded = column.dictionary_encode(null_encoding="encode")
            places = np.array([self._place(one) for one in coded.dictionary.to_pylist()], np.int64)
            codes = places[coded.indices.to_numpy()]
        self._parts.append(small(codes))

    def done(self) -> Coded:
        """The whole column, which takes no more batches."""
        self.codes = small(np.concatenate(self._parts)) if self._parts else self.codes
        self.values, self._parts, self._places = list(self._places), [], {}
        return self

    def __getitem__(self, row: int) -> Any:
        return self.values[self.codes.item(row)]

    def rows(self, rows: NDArray[np.int64]) -> list[Any]:
        """The values of these rows, each of them one object."""
        return [self.values[code] for code in self.codes[rows].tolist()]

    def equal(self, value: Any) -> NDArray[np.bool_]:
        """(n,) whether each is this value."""
        return np.isin(self.codes, [code for code, one in enumerate(self.values) if one == value])

    def _place(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))


class Names:
    """Names of files, as bytes one after another."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._lengths = Numbers()
        self._ends: NDArray[Any] = np.zeros(1, np.int64)
        self._whole = b""

    def add(self, column: pa.Array) -> None:
        """A batch of binary values."""
        _, offsets, data = column.buffers()
        edges = np.frombuffer(offsets, np.int32, len(column) + 1, 4 * column.offset)
        self._parts.append(b"" if data is None else data.to_pybytes()[edges[0] : edges[-1]])
        self._lengths.add(pa.array(np.diff(edges)))

    def done(self) -> Names:
        """The whole column, which takes no more batches."""
        self._whole, self._parts = b"".join(self._parts), []
        ends = np.concatenate([[0], np.cumsum(self._lengths.done(), dtype=np.int64)])
        self._ends = ends if ends[-1] >> 32 else ends.astype(np.uint32)
        return self

    def __getitem__(self, row: int) -> str:
        return os.fsdecode(self._whole[self._ends.item(row) : self._ends.item(row + 1)])

    def rows(self, rows: NDArray[np.int64]) -> list[str]:
        """The names in these rows."""
        whole, begins, ends = self._whole, self._ends[rows].tolist(), self._ends[rows + 1].tolist()
        return [os.fsdecode(whole[i:j]) for i, j in zip(begins, ends, strict=True)]


def small(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the smallest type that holds them, and in no room where all are the same."""
    if not len(values):
        return values
    if (values == values[0]).all() or (values.dtype.kind == "f" and np.isnan(values).all()):
        return np.broadcast_to(values[:1].copy(), len(values))
    if values.dtype.kind not in "iu":
        return values
    least = np.result_type(np.min_scalar_type(values.min()), np.min_scalar_type(values.max()))
    return values if least.itemsize >= values.dtype.itemsize else values.astype(least)
