"""A recording that lies in a shard, equal to the bit to the one that was packed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from .recording import Block, Recording
from .shard_format import SCALES
from .shard_table import ShardTable

_NONE: Mapping[str, str] = {}


class ShardRecording(Recording):
    """A row of a `ShardTable`, or a stretch of one: its samples from `begin` on. Made when it is asked for.

    `path` is that of the file as if it lay in the folder of the shards, `digest` that of the file itself.
    """

    def __init__(
        self, table: ShardTable, row: int, conditions: Mapping[str, str] = _NONE, name: str | None = None
    ) -> None:
        self.row, self.begin = row, 0
        self._table = table
        self._order: list[int] | None = None
        file, stretch = table.names[row], table.stretch.item(row)
        self.path = f"{table.root}/{file}"
        name = file if name is None else name
        self.name = f"{name}#{stretch}" if stretch else name
        self.kind = table.kind[row]
        self.channels, self.channel_names = table.channels.item(row), table.channel_names[row]
        self.rate, self.step = table.number(table.rate, row), table.number(table.step, row)
        self.length, self.start = table.length.item(row), table.start.item(row)
        self.status, self.detail = table.status[row], table.detail[row]
        self.conditions = conditions

    @property
    def digest(self) -> str:  # type: ignore[override]
        """Hex SHA-256 of the file."""
        return bytes(self._table.digest[self.row]).hex()

    def read(self, start: int, frames: int) -> Block:
        """Samples by position. Raises InputError `corrupt`, `truncated` or `unreadable`, for the shard."""
        stop = self.begin + min(start + frames, self.length)
        start += self.begin
        begins, counts = (self._table.files.pieces[key] for key in ("begin", "frames"))
        parts = [
            self._piece(piece, begin, end)
            for piece in self._pieces(start, stop)
            if (begin := max(0, start - (at := begins.item(piece))))
            < (end := min(stop - at, counts.item(piece)))
        ]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            dtype = self._dtype
            return Block(np.zeros((self.channels, 0), dtype), np.ones((self.channels, 0), np.bool_))
        values, masks = zip(*parts, strict=True)
        return Block(np.concatenate(values, 1), np.concatenate(masks, 1))

    def blocks(self, frames: int) -> Iterator[Block]:
        """All samples that there are, in order."""
        for start in range(0, self.length, frames):
            block = self.read(start, min(frames, self.length - start))
            if not block.values.shape[1]:
                return
            yield block

    def labels(self) -> NDArray[np.bool_] | None:
        """The labels of the file, where it has some."""
        first, last = self._table.pieces[self.row : self.row + 2].tolist()
        found = [
            labels
            for piece in range(first, last)
            if (labels := self._table.files.labels(piece, self._stored, self.name)) is not None
        ]
        return np.concatenate(found)[self.begin : self.begin + self.length] if found else None

    def part(self, start: int, stop: int) -> ShardRecording:
        """The samples start .. stop - 1 as a recording of its own, with `start` moved on."""
        if not 0 <= start <= stop <= self.length:
            raise ValueError(f"samples {start} to {stop} do not lie in {self.length}")
        part = copy.copy(self)
        part.begin, part.start, part.length = self.begin + start, self.start + start, stop - start
        return part

    def fit(self, rate: float | None, names: tuple[str, ...]) -> None:
        """Take on, as a series opened with them does, a rate, Hz, and the order of the channels by name."""
        if self.kind != "series":
            return
        if rate is not None:
            self.rate = rate
        stored = self._table.channel_names[self.row]
        if names != self.channel_names and sorted(names) == sorted(stored):
            self._order = None if names == stored else [stored.index(name) for name in names]
            self.channel_names = names

    @property
    def _stored(self) -> int:
        """Number of channels in the shard."""
        return int(self._table.channels.item(self.row))

    @property
    def _dtype(self) -> type[np.floating]:
        return np.float64 if self._table.double.item(self.row) else np.float32

    def _pieces(self, start: int, stop: int) -> range:
        """The pieces from the one that holds sample `start` on, up to the one with the last before `stop`."""
        low, high = self._table.pieces[self.row : self.row + 2].tolist()
        if high - low < 2:
            return range(low, high)
        begins = self._table.files.pieces["begin"][low:high]
        first = max(0, int(np.searchsorted(begins, start, side="right")) - 1)
        return range(low + first, low + int(np.searchsorted(begins, stop)))

    def _piece(self, piece: int, begin: int, end: int) -> Block:
        stored = self._table.files.samples(piece, begin, end - begin, self._stored, self.name)
        if self._order is not None:
            stored = stored[:, self._order]
        dtype = self._dtype
        if stored.dtype.kind == "i":
            values = np.multiply(stored.T, dtype(SCALES[self.kind]), order="C", dtype=dtype)
            return Block(values, np.ones(values.shape, np.bool_))
        values = np.ascontiguousarray(stored.T, dtype)
        mask = np.isfinite(values)
        return Block(values if mask.all() else np.where(mask, values, dtype(0)), mask)
