"""What a folder of shards consists of: `shards.json`, `index.arrow` and `shard-00000.arrow` onwards.

`shards.json` says how the recordings were read and how large every file is; the index, an Arrow IPC file, has
a row for every recording, sorted by name; the shards, Arrow IPC files too, hold samples in pieces of bounded
size, (n, C) one after another in time, in the smallest type that keeps every bit. Missing samples are NaN.
The index says at which byte of a shard a piece begins: who reads samples need not know Arrow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import InputError, UsageError
from ..recipe.data import CommonData, FileData
from .regular import regular_file, unreadable

HEADER, INDEX = "shards.json", "index.arrow"
FORMAT, VERSION = "seqflow shards", 2
_LARGEST_HEADER = 16 << 20
LARGEST_PIECE = 16 << 20
"""Most bytes of the samples in a piece: what is read at once, to check them."""

TYPES = tuple(map(np.dtype, ("<i2", "<f4", "<f8")))
"""Types of stored samples, by their number in the index. 16-bit codes of audio are 2^-15 of full scale."""
SCALES = {"audio": 2.0**-15, "series": 1.0}

PIECE = pa.struct(
    [
        ("shard", pa.int32()),
        ("samples", pa.int64()),  # first byte, in the shard
        ("labels", pa.int64()),  # the same; -1 for none
        ("begin", pa.int64()),  # first sample, in the recording
        ("frames", pa.int64()),
        ("type", pa.int8()),
        ("crc", pa.uint32()),  # CRC-32 of the samples, then the labels
    ]
)
INDEX_SCHEMA = pa.schema(
    [
        ("name", pa.binary()),  # as the file system has it: it need not be UTF-8
        ("stretch", pa.int32()),  # from 1, of a series that is split at gaps; 0 for a whole
        ("kind", pa.string()),
        ("channels", pa.int32()),
        ("channel_names", pa.list_(pa.string())),
        ("double", pa.bool_()),  # whether values are handed out as float64
        ("length", pa.int64()),
        ("start", pa.int64()),
        ("rate", pa.float64()),
        ("step", pa.float64()),
        ("status", pa.string()),
        ("detail", pa.string()),
        ("digest", pa.binary(32)),  # of the file it was read from, as `size` is
        ("size", pa.int64()),
        ("split", pa.string()),
        ("declared", pa.string()),  # JSON: the columns of a manifest, the keys of a sidecar
        ("pieces", pa.list_(PIECE)),
    ]
)
SHARD_SCHEMA = pa.schema(
    [
        ("name", pa.binary()),
        ("begin", pa.int64()),
        ("channels", pa.int32()),
        ("type", pa.string()),
        ("samples", pa.large_binary()),
        ("labels", pa.large_binary()),
    ]
)

# Which keys of a recipe's data decide what is read out of a file, besides the files themselves.
_READING = {"kind", "manifest", "rate", "channels", "step", "resample"}
_READING |= {"columns", "time", "label", "irregular", "missing", "decimal"}


@dataclass(frozen=True)
class Header:
    """What `shards.json` says.

    Attributes:
        reading: keys of `data` that decide what is read out of a file, as they were when it was packed.
        files, exclude: its patterns.
        sidecar: keys that were taken from sidecars.
        index: size and hex SHA-256 of the index.
        shards: size of every shard, bytes.
    """

    reading: Mapping[str, Any]
    files: Sequence[str]
    exclude: Sequence[str]
    sidecar: Sequence[str]
    index: tuple[int, str]
    shards: Sequence[int]


def is_sharded(root: str | Path) -> bool:
    """Whether a folder is one of shards."""
    return os.path.isfile(os.path.join(root, HEADER))  # noqa: PTH113, PTH118


def shard_name(number: int) -> str:
    """Name of the file of a shard."""
    return f"shard-{number:05d}.arrow"


def reading_of(data: FileData) -> dict[str, Any]:
    """The keys of `data` that decide what is read out of a file."""
    return data.model_dump(mode="json", include=_READING)


def sidecar_keys(data: CommonData) -> list[str]:
    """The keys that conditions take from sidecars."""
    return sorted({source.sidecar for source in data.conditions.values() if source.sidecar is not None})


def header_text(header: Header) -> str:
    """A header as a file has it."""
    size, digest = header.index
    document = {
        "format": FORMAT,
        "version": VERSION,
        "data": {**header.reading, "files": list(header.files), "exclude": list(header.exclude)},
        "sidecar": list(header.sidecar),
        "index": {"size": size, "sha256": digest},
        "shards": list(header.shards),
    }
    return json.dumps(document, indent=1) + "\n"


def read_header(root: Path) -> Header:
    """The header of a folder, whose files are all there, with the sizes it says.

    Raises InputError, for the file: `unreadable`, `corrupt`, `unsupported` (another version), `truncated`.
    """
    path = root / HEADER
    regular_file(path)
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_HEADER + 1)
        if len(text) > _LARGEST_HEADER:
            raise InputError(path, "too_large", f"has more than {_LARGEST_HEADER} bytes; pack anew")
        document = json.loads(text)
        if document["format"] != FORMAT or not isinstance(document["version"], int):
            raise ValueError("another format")
        if document["version"] != VERSION:
            raise InputError(
                path,
                "unsupported",
                f"is of version {str(document['version'])[:20]}, not {VERSION}; pack anew with this seqflow",
            )
        data = dict(document["data"])
        header = Header(
            files=[str(one) for one in data.pop("files")],
            exclude=[str(one) for one in data.pop("exclude")],
            reading=data,
            sidecar=[str(one) for one in document["sidecar"]],
            index=(int(document["index"]["size"]), str(document["index"]["sha256"])),
            shards=[int(size) for size in document["shards"]],
        )
        if not all(0 < size < 1 << 62 for size in header.shards):
            raise ValueError("sizes that no file has")
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise InputError(path, "corrupt", "is no header of shards; copy it anew, or pack anew") from None
    for number, size in enumerate(header.shards):
        _check_size(root / shard_name(number), size)
    _check_size(root / INDEX, header.index[0])
    return header


def check_reading(root: str | Path, data: CommonData, reading: Mapping[str, Any], header: Header) -> None:
    """Raise UsageError where the files would be read otherwise than they were when packed.

    reading: keys of `data` that decide, with the values of who reads now.
    """
    for key, value in reading.items():
        packed = header.reading.get(key)
        if packed != value:
            raise UsageError(
                f"data.{key}: the shards in {root} were packed with {_shown(packed)}, not "
                f"{_shown(value)}; set it so, or pack anew"
            )
    for key in sidecar_keys(data):
        if key not in header.sidecar:
            raise UsageError(
                f"data.conditions: the shards in {root} were packed without the key {key!r} of the "
                "JSON files; pack anew"
            )


def _check_size(path: Path, size: int) -> None:
    found = regular_file(path).st_size
    if found != size:
        code = "truncated" if found < size else "corrupt"
        raise InputError(path, code, f"has {found} bytes, not {size}; copy it anew, or pack anew")


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
