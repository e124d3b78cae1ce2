"""Recordings into shards, one after another, in constant memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..files import sha256, write_text
from .recording import Recording, Values
from .shard_format import (
    HEADER,
    INDEX,
    INDEX_SCHEMA,
    SCALES,
    SHARD_SCHEMA,
    TYPES,
    Header,
    header_text,
    shard_name,
)

# What memory holds: values in a piece, bytes in a batch of a shard; rows and their bytes in one of the index.
_PIECE, _BATCH, _ROWS, _BYTES = 1 << 20, 8 << 20, 1 << 14, 16 << 20
_PER_PIECE = 64


class ShardWriter:
    """Writes the files of a folder of shards of about `shard_bytes` each; `finish` makes it complete.

    Raises OSError where there is no room.
    """

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        self._folder, self._shard_bytes = folder, shard_bytes
        self._piece = max(1, min(_PIECE, shard_bytes // 8))
        self._batch = min(_BATCH, shard_bytes // 4)
        self._index = _ArrowFile(folder / INDEX, INDEX_SCHEMA)
        self._shard: _ArrowFile | None = None
        self._pending: list[dict[str, Any]] = []
        self._places: list[dict[str, int]] = []
        self._samples = self._labels = 0
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self.shards: list[int] = []
        self.recordings = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for file in filter(None, (self._shard, self._index)):
            file.drop()

    def add(self, name: str, recordings: Sequence[Recording], about: Mapping[str, Any]) -> None:
        """Write all recordings of a file; `about` are the columns of the index that concern the file.

        Raises what reading them does; the file is then not in the index.
        """
        rows = []
        for number, recording in enumerate(recordings, start=1):
            # First, since reading may find damage.
            double, pieces = self._write(os.fsencode(name), recording)
            rows.append(
                {
                    **about,
                    "name": os.fsencode(name),
                    "stretch": number if len(recordings) > 1 else 0,
                    "kind": recording.kind,
                    "channels": recording.channels,
                    "channel_names": [_text(one) for one in recording.channel_names],
                    "double": double,
                    "length": recording.length,
                    "start": recording.start,
                    "rate": recording.rate,
                    "step": recording.step,
                    "status": recording.status,
                    "detail": _text(recording.detail),
                    "pieces": pieces,
                }
            )
        self._rows += rows
        self.recordings += len(rows)
        self._bytes += sum(
            len(row["detail"]) + len(row.get("declared") or "") + _PER_PIECE * len(row["pieces"])
            for row in rows
        )
        if len(self._rows) >= _ROWS or self._bytes >= _BYTES:
            self._flush()  # where the samples come to lie is known from then on
            self._flush_rows()

    def finish(self, header: Header) -> None:
        """Write what is left, and the header, whose sizes are filled in here."""
        self._flush()
        self._close_shard()
        self._flush_rows()
        size = self._index.close()
        index = (size, sha256(self._folder / INDEX))
        whole = Header(header.reading, header.files, header.exclude, header.sidecar, index, self.shards)
        write_text(self._folder / HEADER, header_text(whole))

    def _write(self, name: bytes, recording: Recording) -> tuple[bool, list[dict[str, Any]]]:
        """Whether values are float64, and the pieces of a recording, as the index has them."""
        labels, pieces, double = recording.labels(), [], False
        for begin, values in _blocks(recording, max(1, self._piece // recording.channels)):
            double = values.dtype == np.float64
            frames = values.shape[1]
            number, samples = _packed(values, SCALES[recording.kind])
            marks = None if labels is None else labels[begin : begin + frames].tobytes()
            piece = self._append(name, begin, recording.channels, number, samples, marks)
            piece["begin"], piece["frames"], piece["type"] = begin, frames, number
            piece["crc"] = zlib.crc32(marks or b"", zlib.crc32(samples))
            pieces.append(piece)
        return double, pieces

    def _append(
        self, name: bytes, begin: int, channels: int, number: int, samples: bytes, labels: bytes | None
    ) -> dict[str, int]:
        """Where the samples and labels of a piece come to lie: in their shard, once they are written."""
        if self._pending and self._samples + len(samples) > self._batch:
            self._flush()
        if self._shard is None:
            self._shard = _ArrowFile(self._folder / shard_name(len(self.shards)), SHARD_SCHEMA)
        place = {
            "shard": len(self.shards),
            "samples": self._samples,
            "labels": -1 if labels is None else self._labels,
        }
        self._pending.append(
            {
                "name": name,
                "begin": begin,
                "channels": channels,
                "type": TYPES[number].name,
                "samples": samples,
                "labels": labels,
            }
        )
        self._places.append(place)
        self._samples += len(samples)
        self._labels += len(labels or b"")
        return place

    def _flush(self) -> None:
        if self._shard is None or not self._pending:
            return
        begins = self._shard.write(self._pending)
        for place in self._places:
            for key in ("samples", "labels"):
                place[key] += begins[key] if place[key] >= 0 else 0
        self._pending, self._places, self._samples, self._labels = [], [], 0, 0
        if self._shard.size >= self._shard_bytes - self._batch:
            self._close_shard()

    def _close_shard(self) -> None:
        if self._shard is not None:
            self.shards.append(self._shard.close())
            self._shard = None

    def _flush_rows(self) -> None:
        if self._rows:
            self._index.write(self._rows)
            self._rows, self._bytes = [], 0


class _ArrowFile:
    """An Arrow IPC file that is written batch by batch."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file: BinaryIO = path.open("wb")
        self._schema = schema
        self._writer = pa.ipc.new_file(self._file, schema)

    @property
    def size(self) -> int:
        """Bytes written."""
        return self._file.tell()

    def write(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        """Write a batch; returns by column of bytes where its data begin in the file."""
        batch = pa.RecordBatch.from_pylist(rows, schema=self._schema)
        self._writer.write_batch(batch)
        # Arrow does not say where it puts data; the same message in memory does.
        message = batch.serialize()
        moved = self.size - message.size - message.address
        begins = {}
        for key, column in zip(
            self._schema.names, pa.ipc.read_record_batch(message, self._schema), strict=True
        ):
            if pa.types.is_large_binary(column.type):
                data = column.buffers()[2]
                begins[key] = 0 if data is None else data.address + moved
        return begins

    def close(self) -> int:
        """Bytes of the whole file, which lies on the disk."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self.size
        self._file.close()
        return size

    def drop(self) -> None:
        """Close the file as it is."""
        self._file.close()


def _blocks(recording: Recording, frames: int) -> Iterator[tuple[int, Values]]:
    """First sample and values (C, n), NaN where they are missing; read by position, as training reads."""
    for begin in range(0, recording.length, frames):
        block = recording.read(begin, min(frames, recording.length - begin))
        n = block.values.shape[1]
        if n:
            yield begin, block.values if block.mask.all() else np.where(block.mask, block.values, np.nan)
        if n < min(frames, recording.length - begin):
            return


def _packed(values: Values, scale: float) -> tuple[int, bytes]:
    """Number of the type, and bytes (n, C), of values (C, n) in the smallest type that keeps every bit."""
    rows = np.ascontiguousarray(values.T)
    with np.errstate(invalid="ignore", over="ignore"):
        codes = np.rint(rows / rows.dtype.type(scale))
        if (np.abs(codes) <= 1 << 15).all() and (codes < 1 << 15).all():
            small = codes.astype(TYPES[0])
            if _same(small.astype(rows.dtype) * rows.dtype.type(scale), rows):
                return 0, small.tobytes()
        single = rows.astype(TYPES[1])
        if rows.dtype == np.float32 or _same(single.astype(np.float64), rows):
            return 1, single.tobytes()
    return 2, rows.astype(TYPES[2]).tobytes()


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Equal to the bit, signs of zeros too."""
    return one.tobytes() == other.tobytes()


def _text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
