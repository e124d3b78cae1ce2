"""Where the lines of a stream go."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import ResourceError, UsageError
from ..live.monitor import Line

Sink = Callable[[Sequence[Line]], None]
"""Takes lines, and returns once they are handed on."""


class LineFile:
    """A file of JSON lines that grows. Raises ResourceError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise self._fault(error) from error

    def __enter__(self) -> LineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __call__(self, lines: Sequence[Line]) -> None:
        """Append lines of the record: those with a number."""
        try:
            self._file.write("".join(text_of(line) + "\n" for line in lines if "seq" in line).encode())
            self._file.flush()
        except OSError as error:
            raise self._fault(error) from error

    def offset(self) -> int:
        """Bytes, all of them on the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._fault(error) from error
        return self._file.tell()

    def rewind(self, offset: int) -> None:
        """Cut the file to so many bytes."""
        if self._file.tell() < offset:
            raise ResourceError(
                f"{self._path}: has {self._file.tell()} bytes, {offset} when the state was saved; take the "
                "file that belongs to --state"
            )
        self._file.truncate(offset)
        self._file.seek(offset)

    def refuse_filled(self) -> None:
        """Raise UsageError unless the file is empty."""
        if self._file.tell():
            raise UsageError(
                f"{self._path}: is not empty, and there is no state that it belongs to; choose another --out"
            )

    def _fault(self, error: OSError) -> ResourceError:
        return ResourceError(f"{self._path}: cannot be written: {error.strerror}; choose another --out")


def text_of(line: Mapping[str, Any]) -> str:
    """A line as JSON. NaN, which JSON lacks, becomes null."""
    return json.dumps(_plain(line), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
