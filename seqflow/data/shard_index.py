"""The index of shards as record batches, in bounded memory: whatever it says, nothing large is made of it.

An Arrow IPC file is a magic word, messages, and a list of them that is not needed here. A message is four
bytes of ones, the length of its head, the head (a flatbuffer) and a body of the length that the head says.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from ..errors import InputError
from .regular import unreadable
from .shard_format import INDEX, INDEX_SCHEMA, Header

_MAGIC, _MARK = b"ARROW1\0\0", b"\xff\xff\xff\xff"
_LARGEST_HEAD, _LARGEST_BODY = 1 << 20, 256 << 20
_SCHEMA, _RECORD_BATCH = 1, 3
_BLOCK = 1 << 20


def index_batches(root: Path, header: Header) -> Iterator[pa.RecordBatch]:
    """The rows of the index, batch by batch; each is well-formed, what it says is not yet checked.

    Raises InputError `unreadable`, or `corrupt`: also at the end, where it is not the index that was written.
    """
    path, (size, digest) = root / INDEX, header.index
    found, left = hashlib.sha256(), size
    try:
        with path.open("rb") as file:

            def take(count: int) -> bytes:
                nonlocal left
                # Never more than the file has, since memory for it is made before it is read.
                data = file.read(count) if 0 <= count <= left else b""
                if len(data) < count or count < 0:
                    raise pa.ArrowInvalid("it ends within a message")
                left -= count
                found.update(data)
                return data

            if take(8) != _MAGIC:
                raise pa.ArrowInvalid("it is no Arrow file")
            yield from _batches(take)
            while left:
                take(min(left, _BLOCK))
    except OSError as error:
        raise unreadable(path, error) from None
    except (pa.ArrowException, struct.error, ValueError) as error:
        raise corrupt_index(root, f"cannot be read: {' '.join(str(error).split())[:80]}") from None
    if found.hexdigest() != digest:
        raise corrupt_index(root, "is not as it was written")


def corrupt_index(root: Path, reason: str) -> InputError:
    """The error of an index that cannot be used."""
    return InputError(root / INDEX, "corrupt", f"{reason}; copy it anew, or pack anew")


def _batches(take: Callable[[int], bytes]) -> Iterator[pa.RecordBatch]:
    first = True
    while True:
        mark = take(8)
        (length,) = struct.unpack_from("<i", mark, 4)
        if mark[:4] != _MARK or not 0 <= length <= _LARGEST_HEAD:
            raise pa.ArrowInvalid("a message has no head")
        if not length:
            return
        head = take(length)
        kind, size, compressed = _look(head)
        if kind != (_SCHEMA if first else _RECORD_BATCH) or compressed or not 0 <= size <= _LARGEST_BODY:
            # Arrow would make room for what compressed data claim to be.
            raise pa.ArrowInvalid("it holds what packing does not write")
        message = pa.ipc.read_message(pa.py_buffer(mark + head + take(size)))
        if first:
            if pa.ipc.read_schema(message) != INDEX_SCHEMA:
                raise pa.ArrowInvalid("it has other columns")
        else:
            batch = pa.ipc.read_record_batch(message, INDEX_SCHEMA)
            batch.validate(full=True)
            yield batch
        first = False


def _look(head: bytes) -> tuple[int, int, bool]:
    """Of the head of a message its kind, the bytes of its body, and whether a batch is compressed.

    Raises struct.error for what is none; Arrow checks all of it.
    """

    def field(table: int, number: int) -> int:
        """Where the field of a table is; 0 for none."""
        at = table - int(struct.unpack_from("<i", head, table)[0])
        size, place = struct.unpack_from("<H", head, at)[0], 4 + 2 * number
        offset = int(struct.unpack_from("<H", head, at + place)[0]) if place < size else 0
        return table + offset if offset else 0

    def pointed(at: int) -> int:
        return at + int(struct.unpack_from("<I", head, at)[0])

    message = pointed(0)
    kind, body = field(message, 1), field(message, 3)
    number = head[kind] if 0 < kind < len(head) else 0
    size = int(struct.unpack_from("<q", head, body)[0]) if body else 0
    compressed = number == _RECORD_BATCH and field(pointed(field(message, 2)), 3) != 0
    return number, size, compressed
