"""A temporary file without a name: it is gone with the process, however that ends."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from pathlib import Path

from ..errors import ResourceError
from ..files import FULL
from .regular import unreadable


class Scratch:
    """Bytes that are appended and then read by their place, also by processes that were forked meanwhile.

    `path` is the input they belong to, for messages. Raises ResourceError where TMPDIR has no room for them.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise _no_room(path, error) from None
        self._close = weakref.finalize(self, self._file.close)

    def finished(self) -> str:
        """A path by which this process can open the file once more; no more is to be written."""
        self._file.seek(0)  # some systems share the place
        return f"/dev/fd/{self._file.fileno()}"

    def write(self, data: bytes | memoryview) -> int:
        """Append, and tell where the bytes begin. What there is so far is given up where there is no room."""
        begin, rest = self.size, memoryview(data)
        if not rest.nbytes:
            return begin
        rest = rest.cast("B")
        self.size += len(rest)
        try:
            while len(rest):
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self.close()
            raise _no_room(self.path, error) from None
        return begin

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on. Raises InputError `unreadable`."""
        try:
            data = os.pread(self._file.fileno(), size, offset)
            while len(data) < size:
                more = os.pread(self._file.fileno(), size - len(data), offset + len(data))
                if not more:
                    raise OSError("its temporary copy has become shorter")
                data += more
        except OSError as error:
            raise unreadable(self.path, error) from None
        return data

    def close(self) -> None:
        """Give the room back."""
        self._close()


def _no_room(path: Path, error: OSError) -> ResourceError:
    reason = "no space left" if error.errno in FULL else error.strerror or str(error)
    advice = "make room there, or set TMPDIR to a folder on a larger disk"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        advice = "raise the limit of open files (ulimit -n), or take fewer files at a time"
    try:
        folder = tempfile.gettempdir()
    except OSError:
        folder = "TMPDIR"
    return ResourceError(
        f"{path}: is too large for memory, and no copy of its numbers can be written to {folder}: {reason}; "
        f"{advice}"
    )
