"""The shards of a folder as open files, from which all recordings read at their place."""

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .regular import unreadable
from .shard_format import TYPES, shard_name

_MOST_OPEN = 128


class ShardFiles:
    """Stored samples by piece. Files are opened when first needed, and not handed to other processes.

    Every piece is checked against its CRC-32 when it is first used in a process, and once more where its
    shard has been written to since: damage anywhere in what is used is found, and nothing is read for the
    sake of the check alone. A shard that is cut, or goes, while it is read is an error like any other.

    sizes: bytes of the shards. pieces: the columns of `PIECE`, (pieces,) each.
    """

    def __init__(self, root: Path, sizes: Sequence[int], pieces: Mapping[str, NDArray[Any]]) -> None:
        self.root, self.sizes, self.pieces = root, sizes, pieces
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "sizes": self.sizes, "pieces": self.pieces}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def _forget(self) -> None:
        self._files: OrderedDict[int, _File] = OrderedDict()
        self._checked = np.zeros(len(self.pieces["type"]), np.bool_)

    def samples(self, piece: int, start: int, frames: int, channels: int, name: str) -> NDArray[Any]:
        """Stored samples start .. start + frames - 1 of a piece (n, C); `name` is the recording's."""
        dtype = TYPES[self.pieces["type"].item(piece)]
        file = self._file(piece)
        size = channels * dtype.itemsize
        begin = self.pieces["samples"].item(piece)
        if self._checked[piece]:
            data = file.read(begin + start * size, frames * size)
            start = 0
        else:
            # Read as a whole for the check, of which a window of a short recording is most anyway.
            data = self._check(piece, file, size, name)
        return np.frombuffer(data, dtype, frames * channels, start * size).reshape(frames, channels)

    def labels(self, piece: int, channels: int, name: str) -> NDArray[np.bool_] | None:
        """The labels of a piece, (n,); None where it has none."""
        begin = self.pieces["labels"].item(piece)
        if begin < 0:
            return None
        file = self._file(piece)
        if not self._checked[piece]:
            self._check(piece, file, channels * TYPES[self.pieces["type"].item(piece)].itemsize, name)
        marks = np.frombuffer(file.read(begin, self.pieces["frames"].item(piece)), np.uint8)
        return np.not_equal(marks, 0)

    def _check(self, piece: int, file: _File, size: int, name: str) -> bytes:
        """The samples of a piece, of `size` bytes a frame; it is as it was written."""
        frames, labels = self.pieces["frames"].item(piece), self.pieces["labels"].item(piece)
        data = file.read(self.pieces["samples"].item(piece), frames * size)
        crc = zlib.crc32(data)
        if labels >= 0:
            crc = zlib.crc32(file.read(labels, frames), crc)
        if crc != self.pieces["crc"].item(piece):
            text = f"the samples of {name} are not as they were written; copy it anew, or pack anew"
            raise InputError(file.path, "corrupt", text)
        self._checked[piece] = True
        return data

    def _file(self, piece: int) -> _File:
        shard = self.pieces["shard"].item(piece)
        file = self._files.get(shard)
        if file is None:
            # Other threads may still read from the one that goes: it is closed behind the last of them.
            while len(self._files) >= _MOST_OPEN:
                self._files.popitem(last=False)
            file = self._files[shard] = _File(self.root / shard_name(shard), self.sizes[shard])
        elif file.written_to():
            self._checked[self.pieces["shard"] == shard] = False
        return file


class _File:
    """A shard open for reading, for as long as anyone holds this.

    Reads name their place, so that threads, and processes by a fork, can share it. Memory maps would be
    quicker by little, and end the process where a file becomes shorter.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._size, self._handle = path, size, -1
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self._time = self._look()
        except OSError as error:
            raise unreadable(path, error) from None

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def read(self, begin: int, count: int) -> bytes:
        """Bytes begin .. begin + count - 1. Raises InputError `unreadable` or `truncated`."""
        try:
            data = os.pread(self._handle, count, begin)
        except OSError as error:
            raise unreadable(self.path, error) from None
        if len(data) < count:
            raise InputError(
                self.path, "truncated", "became shorter while it was read; copy it anew, or pack anew"
            )
        return data

    def written_to(self) -> bool:
        """Whether the shard has changed since this was asked, or it was opened."""
        try:
            before, self._time = self._time, self._look()
        except OSError as error:
            raise unreadable(self.path, error) from None
        return before != self._time

    def _look(self) -> int:
        status = os.fstat(self._handle)
        if status.st_size != self._size:
            code = "truncated" if status.st_size < self._size else "corrupt"
            text = f"has {status.st_size} bytes, not {self._size}; copy it anew, or pack anew"
            raise InputError(self.path, code, text)
        return status.st_mtime_ns
