"""Numbers by their place that need not fit memory: beyond a size they lie in a temporary file."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .scratch import Scratch

LARGE = 64 << 20
"""Bytes of numbers, or of time stamps, that a table may hold in memory."""
ROWS = 1 << 16
"""Rows that are looked at together."""

# Values that one read brings into memory before columns are chosen.
_MOST = 1 << 20


def keep_in_memory() -> None:
    """From now on this process keeps tables in memory whatever their size: it may not write files."""
    global LARGE
    LARGE = sys.maxsize


class Spool:
    """Rows of numbers of one type: (n, width), or (n,) without a width.

    In memory up to `LARGE` bytes, then in a temporary file, row by row. `path` is the table, for messages.
    Raises ResourceError on appending where there is no room for the file, and InputError where it cannot be
    read.
    """

    def __init__(self, path: Path, dtype: DTypeLike, width: int | None = None) -> None:
        self._path, self._dtype = path, np.dtype(dtype)
        self._shape = () if width is None else (width,)
        self._size = self._dtype.itemsize * (width or 1)
        self._parts: list[NDArray[Any]] = []
        self._file: Scratch | None = None
        self.length = 0

    @property
    def in_memory(self) -> bool:
        """Whether all rows are."""
        return self._file is None

    def append(self, rows: NDArray[Any]) -> None:
        """Further rows."""
        rows = np.ascontiguousarray(rows, self._dtype).reshape(len(rows), *self._shape)
        self.length += len(rows)
        self._parts.append(rows)
        if self._file is None and self.length * self._size > LARGE:
            self._file = Scratch(self._path)
        if self._file is not None:
            for part in self._parts:
                self._file.write(part.data)
            self._parts.clear()

    def cut(self, length: int) -> None:
        """Forget the rows from this one on."""
        self.length = min(self.length, length)

    def read(self, start: int, count: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Rows start .. start + count - 1, fewer at the end, of all columns or these; not to be changed."""
        stop = min(start + count, self.length)
        if self._file is None:
            if len(self._parts) > 1:
                self._parts = [np.concatenate(self._parts)]
            rows = self._parts[0][start:stop] if self._parts else self._empty()
            return rows if columns is None else rows[:, columns]
        if columns is None:
            return self._stored(start, stop)
        step = max(1, _MOST // (self._shape or (1,))[0])
        pieces = [
            self._stored(at, min(at + step, stop))[:, columns]
            for at in range(start, max(stop, start + 1), step)
        ]
        return np.concatenate(pieces)

    def take(self, rows: NDArray[np.int64], columns: Sequence[int] | None = None) -> NDArray[Any]:
        """These rows, in this order; best where many follow one another."""
        if self._file is None:
            found = self.read(0, self.length)[rows]
            return found if columns is None else found[:, columns]
        begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        counts = np.diff(begins, append=len(rows))
        runs = zip(rows[begins].tolist(), counts.tolist(), strict=True)
        pieces = [self.read(start, count, columns) for start, count in runs]
        return np.concatenate(pieces) if pieces else self.read(0, 0, columns)

    def blocks(self, columns: Sequence[int] | None = None) -> Iterator[NDArray[Any]]:
        """All rows in order, some at a time, of all columns or of these."""
        width = (self._shape or (1,))[0] if columns is None else len(columns)
        count = max(1, min(ROWS, _MOST // width))
        for start in range(0, self.length, count):
            yield self.read(start, count, columns)

    def steps(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Differences from each number to the next, some at a time, and the index of the first of them."""
        begin, last = 0, self._empty()
        for block in self.blocks():
            joined = np.concatenate([last, block])
            yield begin, np.diff(joined)
            begin, last = begin + len(joined) - 1, joined[-1:]

    def place_of(self, value: int) -> int:
        """The first row not below a value, where rows are numbers (n,) that do not fall."""
        return bisect_left(range(self.length), value, key=lambda row: self.read(row, 1)[0])

    def close(self) -> None:
        """Give memory and room back; no row is left."""
        self.length = 0
        self._parts.clear()
        if self._file is not None:
            self._file.close()

    def _stored(self, start: int, stop: int) -> NDArray[Any]:
        if self._file is None or stop <= start:
            return self._empty()
        raw = self._file.read(start * self._size, (stop - start) * self._size)
        return np.frombuffer(raw, self._dtype).reshape(-1, *self._shape)

    def _empty(self) -> NDArray[Any]:
        return np.empty((0, *self._shape), self._dtype)
