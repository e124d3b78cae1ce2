"""A recording that lies in a shard, equal to the bit to the one that was packed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .recording import Block, Kind, Recording
from .shard_format import SCALES
from .shard_map import ShardMap


class ShardRecording(Recording):
    """Consecutive pieces of a `ShardMap`.

    `path` is that of the file as if it lay in the folder of the shards, `digest` that of the file itself.
    """

    def __init__(
        self,
        shards: ShardMap,
        first: int,
        last: int,
        *,
        name: str,
        path: str,
        kind: Kind,
        channels: int,
        channel_names: tuple[str, ...],
        double: bool,
        length: int,
        start: int,
        rate: float | None,
        step: float | None,
        status: str,
        detail: str,
        digest: bytes,
        conditions: Mapping[str, str],
    ) -> None:
        self._shards, self._first, self._last = shards, first, last
        self._order: list[int] | None = None
        self._double = double
        self.name, self.path, self.kind = name, path, kind
        self.channels, self.channel_names = channels, channel_names
        self.rate, self.step = rate, step
        self.length, self.start = length, start
        self.status, self.detail = status, detail
        self._digest, self.conditions = digest, conditions

    @property
    def digest(self) -> str:  # type: ignore[override]
        """Hex SHA-256; kept as bytes, since there may be millions."""
        return self._digest.hex()

    def read(self, start: int, frames: int) -> Block:
        """Samples by position. Raises InputError `corrupt` or `unreadable`, for the shard."""
        stop = min(start + frames, self.length)
        parts = [
            self._piece(piece, begin, end)
            for piece in self._pieces(start, stop)
            if (begin := max(0, start - (at := int(self._shards.pieces["begin"][piece]))))
            < (end := min(stop - at, int(self._shards.pieces["frames"][piece])))
        ]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            dtype = np.float64 if self._double else np.float32
            return Block(np.zeros((self.channels, 0), dtype), np.ones((self.channels, 0), np.bool_))
        values, masks = zip(*parts, strict=True)
        return Block(np.concatenate(values, 1), np.concatenate(masks, 1))

    def labels(self) -> NDArray[np.bool_] | None:
        """The labels of the file, where it has some."""
        found = [
            labels
            for piece in range(self._first, self._last)
            if (labels := self._shards.labels(piece, self.channels, self.name)) is not None
        ]
        return np.concatenate(found) if found else None

    def fit(self, rate: float | None, names: tuple[str, ...]) -> None:
        """Take on, as a series opened with them does, a rate, Hz, and the order of the channels by name."""
        if self.kind != "series":
            return
        if rate is not None:
            self.rate = rate
        if names != self.channel_names and sorted(names) == sorted(self.channel_names):
            order = [self.channel_names.index(name) for name in names]
            self._order = order if self._order is None else [self._order[i] for i in order]
            self.channel_names = names

    def _pieces(self, start: int, stop: int) -> range:
        """The pieces from the one that holds sample `start` on, up to the one with the last before `stop`."""
        if self._last - self._first < 2:
            return range(self._first, self._last)
        begins = self._shards.pieces["begin"][self._first : self._last]
        first = max(0, int(np.searchsorted(begins, start, side="right")) - 1)
        return range(self._first + first, self._first + int(np.searchsorted(begins, stop)))

    def _piece(self, piece: int, begin: int, end: int) -> Block:
        stored = self._shards.samples(piece, begin, end - begin, self.channels, self.name)
        if self._order is not None:
            stored = stored[:, self._order]
        dtype = np.float64 if self._double else np.float32
        if stored.dtype.kind == "i":
            values = np.multiply(stored.T, dtype(SCALES[self.kind]), order="C", dtype=dtype)
            return Block(values, np.ones(values.shape, np.bool_))
        values = np.ascontiguousarray(stored.T, dtype)
        mask = np.isfinite(values)
        return Block(values if mask.all() else np.where(mask, values, dtype(0)), mask)
