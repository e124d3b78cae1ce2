"""Files that lie packed in a folder of shards, one by one, where a command takes loose files as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from .recording import Kind
from .shard_format import Header, read_header
from .shard_recording import ShardRecording
from .shard_table import ShardTable


class PackedFolder:
    """A folder of shards. Raises InputError for one that is damaged."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.header: Header = read_header(root)
        self.table = ShardTable(root, self.header)
        self._first = np.flatnonzero(self.table.stretch <= 1)

    def files(self) -> Iterator[PackedFile]:
        """What was packed, in the order of the names."""
        edges = [*self._first.tolist(), len(self.table)]
        for first, last in pairwise(edges):
            yield PackedFile(self, first, last)


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file in shards: rows first .. last - 1 of their table, more than one where it was split at gaps."""

    folder: PackedFolder
    first: int
    last: int

    @property
    def name(self) -> str:
        """As it was packed."""
        return self.folder.table.names[self.first]

    @property
    def path(self) -> Path:
        """As if it lay in the folder."""
        return Path(self.folder.table.path(self.first))

    @property
    def kind(self) -> Kind:
        """Audio or series."""
        kind: Kind = self.folder.table.kind[self.first]
        return kind

    @property
    def digest(self) -> str:
        """Of the file that was packed, see `file_digest`."""
        return bytes(self.folder.table.digest[self.first]).hex()

    @property
    def size(self) -> int:
        """Of the file that was packed, bytes."""
        return int(self.folder.table.size.item(self.first))

    @property
    def declared(self) -> str:
        """What its manifest and its sidecar said of it, as text."""
        return repr(self.folder.table.declared[self.first])

    def recordings(self, name: str | None = None) -> list[ShardRecording]:
        """What is in it, under the file's name or another, without conditions."""
        return [ShardRecording(self.folder.table, row, name=name) for row in range(self.first, self.last)]
