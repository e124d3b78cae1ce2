"""Columns of a table as they are in its file, block by block; beyond a size they lie in a temporary file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from . import spool
from .numbers import text_of
from .scratch import Scratch


class Cells:
    """Rows of cells, such as dates and times of day, kept as Arrow has them.

    Raises ResourceError on appending where there is no room for the file, and InputError where it cannot be
    read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: list[pa.RecordBatch] = []
        self._places: list[tuple[int, int]] = []
        self._begins: list[int] = []
        self._schema: pa.Schema | None = None
        self._file: Scratch | None = None
        self._size = 0
        self.length = 0

    def append(self, columns: Sequence[pa.Array]) -> None:
        """Further rows, as one array for every column."""
        batch = pa.record_batch([_plain(cells) for cells in columns], list(map(str, range(len(columns)))))
        self._begins.append(self.length)
        self.length += batch.num_rows
        self._size += batch.nbytes
        self._schema = batch.schema
        self._parts.append(batch)
        if self._file is None and self._size > spool.LARGE:
            self._file = Scratch(self._path)
        if self._file is not None:
            for part in self._parts:
                raw = part.serialize()
                self._places.append((self._file.write(memoryview(raw)), raw.size))
            self._parts.clear()

    def blocks(self) -> Iterator[list[pa.Array]]:
        """All rows in order, in the blocks in which they came: an array for every column."""
        for index in range(len(self._begins)):
            yield self._block(index).columns

    def text(self, row: int) -> str:
        """The cells of a row, joined, on one line."""
        index = bisect_right(self._begins, row) - 1
        columns = self._block(index).columns
        return " ".join(text_of(cells[row - self._begins[index]]) for cells in columns)

    def close(self) -> None:
        """Give memory and room back."""
        self._parts.clear()
        self._begins.clear()
        if self._file is not None:
            self._file.close()

    def _block(self, index: int) -> pa.RecordBatch:
        if self._file is None:
            return self._parts[index]
        return pa.ipc.read_record_batch(pa.py_buffer(self._file.read(*self._places[index])), self._schema)


def _plain(cells: pa.Array) -> pa.Array:
    """Without a dictionary, which blocks would have to share."""
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
