"""The shards of a folder, mapped into memory: one open map for each, shared by all its recordings."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import InputError
from .regular import unreadable
from .shard_format import TYPES, shard_name

Buffers = tuple[memoryview, memoryview]


class ShardMap:
    """Stored samples by piece. Maps are opened when first needed, and not handed to other processes.

    Every piece is checked against its CRC-32 when it is first used in a process: damage anywhere in what is
    used is found, and nothing is read for the sake of the check alone. A shard must not become shorter while
    it is mapped; its size was checked when the folder was opened.

    pieces: the columns of `PIECE`, (pieces,) each.
    """

    def __init__(self, root: Path, pieces: dict[str, NDArray[Any]]) -> None:
        self.root, self.pieces = root, pieces
        self._open()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "pieces": self.pieces}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.root, self.pieces = state["root"], state["pieces"]
        self._open()

    def _open(self) -> None:
        self._readers: dict[int, Any] = {}
        self._buffers: dict[tuple[int, int], Buffers] = {}
        self._checked = np.zeros(len(self.pieces["frames"]), np.bool_)

    def samples(self, piece: int, start: int, frames: int, channels: int, name: str) -> NDArray[Any]:
        """Stored samples start .. start + frames - 1 of a piece, (n, C); a view of the map."""
        pieces = self.pieces
        dtype = TYPES[pieces["type"][piece]]
        data, _ = self._data(piece, channels, name)
        offset = int(pieces["samples"][piece]) + start * channels * dtype.itemsize
        return np.frombuffer(data, dtype, frames * channels, offset).reshape(frames, channels)

    def labels(self, piece: int, channels: int, name: str) -> NDArray[np.bool_] | None:
        """The labels of a piece, (n,); None where it has none."""
        offset = int(self.pieces["labels"][piece])
        if offset < 0:
            return None
        _, labels = self._data(piece, channels, name)
        return np.frombuffer(labels, np.bool_, int(self.pieces["frames"][piece]), offset)

    def _data(self, piece: int, channels: int, name: str) -> Buffers:
        """The data of samples and of labels in the batch of a piece, which is undamaged.

        Raises InputError `corrupt` or `unreadable`, for the shard.
        """
        pieces = self.pieces
        key = int(pieces["shard"][piece]), int(pieces["batch"][piece])
        found = self._buffers.get(key)
        if found is None:
            found = self._buffers[key] = self._batch(*key)
        if not self._checked[piece]:
            frames, begin = int(pieces["frames"][piece]), int(pieces["samples"][piece])
            size = frames * channels * TYPES[pieces["type"][piece]].itemsize
            crc = zlib.crc32(found[0][begin : begin + size])
            if (at := int(pieces["labels"][piece])) >= 0:
                crc = zlib.crc32(found[1][at : at + frames], crc)
            if crc != pieces["crc"][piece]:
                raise self._corrupt(key[0], f"the samples of {name} are not as they were written")
            self._checked[piece] = True
        return found

    def _batch(self, shard: int, batch: int) -> Buffers:
        try:
            reader = self._readers.get(shard)
            if reader is None:
                source = pa.memory_map(str(self.root / shard_name(shard)))
                reader = self._readers[shard] = pa.ipc.open_file(source)
            columns = reader.get_batch(batch)
            samples, labels = (columns.column(key).buffers()[2] for key in ("samples", "labels"))
        except (pa.ArrowException, IndexError, KeyError) as error:
            raise self._corrupt(shard, " ".join(str(error).split())[:80]) from None
        except OSError as error:
            raise unreadable(self.root / shard_name(shard), error) from None
        return memoryview(samples or b""), memoryview(labels or b"")

    def _corrupt(self, shard: int, reason: str) -> InputError:
        path = self.root / shard_name(shard)
        return InputError(path, "corrupt", f"{reason}; copy it anew, or pack anew")
