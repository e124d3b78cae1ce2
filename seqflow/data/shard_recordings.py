"""Recordings in shards as numbers: a million of them are no million objects."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .recording import Recording, Recordings
from .shard_recording import ShardRecording
from .shard_table import ShardTable


class ShardRecordings(Recordings):
    """Rows of a table, or stretches of them, all of one rate and with the same channels.

    Kept are row, first sample and length of each, and what is declared, which is mostly shared.
    """

    def __init__(self, table: ShardTable) -> None:
        self._table = table
        self._rows, self._begins, self._lengths = array("q"), array("q"), array("q")
        self._conditions: list[Mapping[str, str]] = []
        self._fitted: tuple[float | None, tuple[str, ...]] = (None, ())

    def append(self, recording: Recording) -> None:
        """Keep a recording of the table. Raises ValueError for one of another kind than the first."""
        kind = recording.rate, recording.channel_names
        if not isinstance(recording, ShardRecording) or (len(self) and kind != self._fitted):
            raise ValueError(f"{recording.name}: is not of the shards and the kind of the others")
        self._fitted = kind
        self._rows.append(recording.row)
        self._begins.append(recording.begin)
        self._lengths.append(recording.length)
        self._conditions.append(recording.conditions)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Recording: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Recording]: ...
    def __getitem__(self, index: int | slice) -> Recording | Sequence[Recording]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        found = ShardRecording(self._table, self._rows[index], self._conditions[index])
        found.fit(*self._fitted)
        begin, length = self._begins[index], self._lengths[index]
        return found if length == found.length else found.part(begin, begin + length)

    def __iter__(self) -> Iterator[Recording]:
        return map(self.__getitem__, range(len(self)))

    def column(self, key: str) -> Sequence[Any]:
        """An attribute of each; most of them without making it."""
        make = self._columns.get(key)
        return [getattr(one, key) for one in self] if make is None else make(self)

    def _row_numbers(self) -> NDArray[np.int64]:
        return np.frombuffer(self._rows, np.int64)

    def _starts(self) -> Sequence[Any]:
        starts: list[int] = (
            self._table.start[self._row_numbers()] + np.frombuffer(self._begins, np.int64)
        ).tolist()
        return starts

    def _steps(self) -> Sequence[Any]:
        return [None if step != step else step for step in self._table.step[self._row_numbers()].tolist()]

    def _digests(self) -> Sequence[Any]:
        return [row.tobytes().hex() for row in self._table.digest[self._row_numbers()]]

    _columns: Mapping[str, Callable[[ShardRecordings], Sequence[Any]]] = {
        "length": lambda self: self._lengths,
        "start": _starts,
        "step": _steps,
        "digest": _digests,
        "conditions": lambda self: self._conditions,
        "channels": lambda self: self._table.channels[self._row_numbers()].tolist(),
        "rate": lambda self: [self._fitted[0]] * len(self),
    }
