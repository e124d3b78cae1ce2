"""What a file holds, in 32 bytes: to find copies, and to see that data have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .recording import Recording
from .regular import regular_file, unreadable

_WHOLE = 64 << 20
_BLOCK = 1 << 20
_BLOCKS = 16


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file: of all of it up to 64 MiB, else of its size and of 16 blocks of 1 MiB.

    The blocks are evenly spaced, the first and the last of the file among them: a change between them goes
    unnoticed. Raises InputError `unreadable`, `not_a_file` or `empty`.
    """
    size = regular_file(path).st_size
    try:
        with path.open("rb") as file:
            if size <= _WHOLE:
                return hashlib.file_digest(file, "sha256").hexdigest()
            digest = hashlib.sha256(size.to_bytes(8, "little"))
            for i in range(_BLOCKS):
                file.seek((size - _BLOCK) * i // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
            return digest.hexdigest()
    except OSError as error:
        raise unreadable(path, error) from None


def recording_digest(recording: Recording) -> str:
    """Hex SHA-256 of the samples of a recording that comes from no file."""
    digest = hashlib.sha256(f"{recording.channels}:{recording.length}:".encode())
    for values, mask in recording.blocks(_BLOCK):
        digest.update(values.tobytes())
        digest.update(mask.tobytes())
    return digest.hexdigest()
