"""Where the bytes of a stream come from: a pipe."""

from __future__ import annotations

import os
import select
from typing import Protocol

CHUNK = 1 << 16
"""Bytes read at a time. What comes of them does not depend on it."""


class Source(Protocol):
    """Hands out bytes as they come.

    Attributes:
        lost: messages that could not be held while the scores were behind.
    """

    lost: int

    def read(self, timeout: float) -> bytes | None:
        """Some bytes; b"" at the end, None where nothing came within `timeout` seconds."""
        ...


class Pipe:
    """A pipe, a terminal or a file by its descriptor, such as 0 for standard input."""

    def __init__(self, handle: int = 0) -> None:
        self._handle = handle
        self.lost = 0

    def read(self, timeout: float) -> bytes | None:
        """See `Source`."""
        ready, _, _ = select.select([self._handle], [], [], timeout)
        return os.read(self._handle, CHUNK) if ready else None
