"""What a batch has to do: the inputs by name, in blocks that every process finds alike."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ..data.discover import expand
from ..data.manifest import Entry, read_manifest
from ..data.open import open_recordings
from ..data.packed import PackedFile
from ..data.shard_format import is_sharded
from ..errors import InputError, UsageError
from ..recipe import DataConfig

BLOCKS = 4096
"""Blocks that names fall into by their hash: what is claimed, and what shards are made of."""


class Found(NamedTuple):
    """A folder, the inputs by their names below it, those that cannot be used, and columns of a manifest.

    `packed`: those that lie in shards.
    """

    root: Path
    names: list[str]
    faults: dict[str, InputError]
    columns: dict[str, dict[str, str]]
    packed: Mapping[str, PackedFile] = MappingProxyType({})

    def source(self, name: str) -> Path | PackedFile:
        """The input of this name."""
        return self.packed.get(name) or self.root / name

    def size(self, name: str) -> int:
        """Its bytes; 0 where it cannot be looked at."""
        source = self.source(name)
        try:
            return source.size if isinstance(source, PackedFile) else source.stat().st_size
        except (OSError, ValueError):
            return 0

    @property
    def all_names(self) -> list[str]:
        """All names, sorted as bytes."""
        return sorted([*self.names, *self.faults], key=os.fsencode)

    def blocks(self) -> dict[str, list[str]]:
        """The usable names by block, in the order of the blocks."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            found.setdefault(block_of(name), []).append(name)
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Shard:
    """Share `index` of `count`, from 1: the blocks whose number leaves index - 1 when divided by count."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, name: str) -> bool:
        """Whether an input belongs to the share; that depends on nothing but its name."""
        return int(block_of(name)) % self.count == self.index - 1


def parse_shard(text: str) -> Shard:
    """The shard in `i/n`. Raises UsageError for anything else."""
    parts = text.split("/")
    if len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts):
        shard = Shard(int(parts[0]), int(parts[1]))
        if 1 <= shard.index <= shard.count <= BLOCKS:
            return shard
    raise UsageError(f"batch: shard {text[:40]!r} must be i/n with 1 <= i <= n <= {BLOCKS}, such as 2/8")


def block_of(name: str) -> str:
    """The block of an input: four digits."""
    digest = hashlib.sha256(os.fsencode(name)).digest()
    return f"{int.from_bytes(digest[:8], 'big') % BLOCKS:04}"


def find_inputs(inputs: Path, config: DataConfig, out: Path) -> Found:
    """What there is to do. Raises UsageError for a manifest with faults: all of it is refused.

    Raises InputError for a folder of shards that is damaged, and UsageError for one that was packed otherwise
    than `config` reads.
    """
    faults: dict[str, InputError] = {}
    if inputs.is_file():
        root = inputs.parent

        def absent(error: InputError) -> None:
            faults[os.path.relpath(error.path, root)] = error

        try:
            entries = read_manifest(root, inputs.name, absent)
        except InputError as error:
            raise UsageError(str(error)) from None
        return Found(root, [entry.name for entry in entries], faults, _columns(entries, config))
    if not inputs.is_dir():
        raise UsageError(f"{inputs}: is neither a folder nor a manifest; check the path")

    def report(error: InputError) -> None:
        if error.code != "no_files":
            faults[os.path.relpath(error.path, inputs)] = error

    packed = packed_inputs(inputs, config)
    names = [*packed] or [
        file.relative_to(inputs).as_posix()
        for file in expand([inputs], config, report)
        if isinstance(file, Path)
    ]
    own, root = out.resolve(), inputs.resolve()
    if own == root:
        raise UsageError(f"{out}: holds the recordings; choose another folder for the results")
    if own.is_relative_to(root):
        below = own.relative_to(root).as_posix() + "/"
        names = [name for name in names if not name.startswith(below)]
        faults = {name: error for name, error in faults.items() if not name.startswith(below)}
    return Found(inputs, names, faults, {}, packed)


def packed_inputs(root: Path, config: DataConfig) -> dict[str, PackedFile]:
    """The files in shards, by name; none where a folder holds no shards. Raises as `find_inputs` does."""
    if not is_sharded(root):
        return {}
    files = [file for file in expand([root], config) if isinstance(file, PackedFile)]
    with suppress(InputError):  # of this file alone, which its own row says
        open_recordings(files[0], config)
    return {file.name: file for file in files}


def _columns(entries: Sequence[Entry], config: DataConfig) -> dict[str, dict[str, str]]:
    """By the name of a file, what a manifest has in the columns of the recipe's conditions."""
    wanted = {source.column for source in config.conditions.values()} - {None}
    if not wanted:
        return {}
    return {
        entry.name: {key: value for key, value in entry.conditions.items() if key in wanted}
        for entry in entries
    }
