"""The log of a run: one JSON value a line, in step with the checkpoint."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

from ..errors import ResourceError


class Log:
    """Appends lines to a file, from its first `keep` bytes on: what a resumed training does again goes.

    Raises ResourceError where the file cannot be written.
    """

    def __init__(self, path: Path, keep: int = 0) -> None:
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._failed(error) from error
        try:
            os.ftruncate(self._handle, min(keep, os.fstat(self._handle).st_size))
        except OSError as error:
            self.close()
            raise self._failed(error) from error

    def write(self, event: str, **values: Any) -> None:
        """Append a line. Figures that are not finite become null, since JSON has none."""
        line = {"event": event} | {key: _plain(value) for key, value in values.items()}
        data = memoryview((json.dumps(line, allow_nan=False) + "\n").encode())
        try:
            while data:
                data = data[os.write(self._handle, data) :]
        except OSError as error:
            raise self._failed(error) from error

    def sync(self) -> int:
        """Bring all lines to the disk; returns the length of the file in bytes."""
        try:
            os.fsync(self._handle)
            return os.fstat(self._handle).st_size
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _failed(self, error: OSError) -> ResourceError:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        reason = "no space left on the disk" if full else str(error.strerror or error)
        return ResourceError(f"{self._path}: cannot be written: {reason}; make room, then --resume")


class NoLog(Log):
    """The log of a process that is not the first: nothing is kept."""

    def __init__(self) -> None:
        pass

    def write(self, event: str, **values: Any) -> None:  # noqa: D102
        pass

    def sync(self) -> int:  # noqa: D102
        return 0

    def close(self) -> None:  # noqa: D102
        pass


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
