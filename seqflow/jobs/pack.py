"""The recordings of a recipe into shards: decoded once, and few files where there were many."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.collection import manifest_entries
from ..data.digest import file_digest
from ..data.discover import find_files
from ..data.manifest import Entry
from ..data.open import open_recordings
from ..data.shard_format import Header, is_sharded, reading_of, sidecar_keys
from ..data.shard_writer import ShardWriter
from ..data.sidecar import read_text
from ..errors import InputError, NothingUsableError, UsageError
from ..files import new_folder
from ..recipe import Recipe
from ..recipe.data import FileData


@dataclass(frozen=True)
class Packed:
    """What a folder of shards holds.

    Attributes:
        root: the folder.
        recordings, shards, bytes: how many; `bytes` are those of the shards.
        kinds: (rate in Hz, of audio alone, and channels) of the recordings, the most frequent first.
        left_out: files that cannot be used, and why.
    """

    root: Path
    recordings: int
    shards: int
    bytes: int
    kinds: tuple[tuple[float | None, int], ...]
    left_out: tuple[InputError, ...]


def pack(
    recipe: Recipe,
    out: Path,
    *,
    shard_mb: int = 256,
    on_file: Callable[[int, int], None] | None = None,
) -> Packed:
    """Pack the files of a recipe's `data` into the folder `out`, read as the recipe says.

    With `data.root` set to the folder, trainings are what they are with the files. Memory: one file, as its
    reader holds it, and some 60 MB. `on_file` gets the number done, and of all. What cannot be read, from its
    first sample to its last, is left out.

    Raises UsageError where there is nothing to pack, or `out` holds something; NothingUsableError where no
    file can be used; InputError for a faulty manifest; ResourceError without room.
    """
    data = recipe.data
    if not isinstance(data, FileData):
        raise UsageError(
            f"data.kind: {data.kind}: made-up recordings lie in no files; there is nothing to pack"
        )
    if is_sharded(data.root):
        raise UsageError(f"data.root: {data.root}: holds shards already; set it to the folder of the files")
    if shard_mb < 1:
        raise UsageError(f"--shard-mb {shard_mb}: must be at least 1")
    faults: list[InputError] = []
    entries = manifest_entries(data)
    files = find_files(data, faults.append)
    header = Header(
        reading_of(data), getattr(data, "files", ()), data.exclude, sidecar_keys(data), (0, ""), ()
    )
    kinds: Counter[tuple[float | None, int]] = Counter()
    with new_folder(out) as folder, ShardWriter(folder, shard_mb << 20) as writer:
        for done, path in enumerate(files, start=1):
            name = path.relative_to(data.root).as_posix()
            try:
                entry = entries.get(name)
                found = open_recordings(path, data, name=name)
                writer.add(name, found, _about(path, data, entry))
                kinds.update({(one.rate if one.kind == "audio" else None, one.channels) for one in found})
            except InputError as error:
                faults.append(error)
            if on_file is not None:
                on_file(done, len(files))
        if not writer.recordings:
            raise NothingUsableError(
                f"data.root: {data.root}: none of {len(files)} files can be used; first: {faults[0]}"
            )
        writer.finish(header)
    return Packed(
        out,
        writer.recordings,
        len(writer.shards),
        sum(writer.shards),
        tuple(kind for kind, _ in kinds.most_common()),
        tuple(faults),
    )


def _about(path: Path, data: FileData, entry: Entry | None) -> Mapping[str, Any]:
    """The columns of the index that concern a file."""
    declared: dict[str, Mapping[str, str]] = {}
    if entry is not None and entry.conditions:
        declared["columns"] = entry.conditions
    texts = {key: text for key in sidecar_keys(data) if (text := read_text(path, key)) is not None}
    if texts:
        declared["sidecar"] = texts
    return {
        "digest": bytes.fromhex(file_digest(path)),
        "size": os.stat(path).st_size,  # noqa: PTH116
        "split": None if entry is None else entry.split,
        "declared": json.dumps(declared) if declared else None,
    }
