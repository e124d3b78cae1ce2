"""The files in shards as items, which are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from .item import Gathered, Item, Items
from .shard_recording import ShardRecording
from .shard_recordings import ShardRecordings
from .shard_table import ShardTable

Index = NDArray[np.int64]


class ShardItems(Items):
    """Files of a table: rows first .. last - 1 of each; (n,) both. `conditions` by the codes (n,)."""

    def __init__(
        self,
        table: ShardTable,
        first: Index,
        last: Index,
        conditions: Sequence[Mapping[str, str]],
        codes: Index,
    ) -> None:
        self._table, self._first, self._last = table, first, last
        self._conditions, self._codes = conditions, codes

    def __len__(self) -> int:
        return len(self._first)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        table, first, last = self._table, self._first.item(index), self._last.item(index)
        conditions = self._conditions[self._codes.item(index)]
        recordings = [ShardRecording(table, row, conditions) for row in range(first, last)]
        name, path = table.names[first], recordings[0].path
        return Item(
            name, path, [*recordings], recordings[0].digest, table.size.item(first), table.split[first]
        )

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))

    def names(self) -> list[str]:  # noqa: D102
        return self._table.names.rows(self._first)

    def longest(self) -> NDArray[np.int64]:  # noqa: D102
        # Rows of files that were left out lie between the last of one file and the first of the next.
        edges = np.stack((self._first, self._last), 1).ravel()
        whole = np.append(self._table.length.astype(np.int64), 0)
        return np.maximum.reduceat(whole, edges)[::2] if len(edges) else edges

    def splits(self) -> list[str | None]:  # noqa: D102
        return self._table.split.rows(self._first)

    def digests(self) -> NDArray[np.uint64]:  # noqa: D102
        return self._table.digest[self._first, :8].copy().view(">u8")[:, 0].astype(np.uint64)

    def choose(self, index: Index) -> ShardItems:  # noqa: D102
        first, last = self._first[index], self._last[index]
        return ShardItems(self._table, first, last, self._conditions, self._codes[index])

    def gather(self) -> Gathered:  # noqa: D102
        return ShardRecordings(self._table)
