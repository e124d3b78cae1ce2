"""One training at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import ResourceError, UsageError
from ..files import make_folder

NAME = ".lock"

_held: set[Path] = set()
_guard = threading.Lock()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """The folder, made where it is not there, for this training alone.

    The lock goes with the process: nothing is left to clear away after a kill. It is one that child processes
    do not share, since those that load data may outlive a killed training by seconds. Raises UsageError where
    another training holds it, ResourceError where the folder cannot be used.
    """
    make_folder(folder)
    key = folder.resolve()
    # Within a process a second lock on the file would succeed.
    with _guard:
        if key in _held:
            raise _in_use(folder, os.getpid())
        _held.add(key)
    try:
        with _open(folder / NAME) as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise _in_use(folder, _holder(file.fileno())) from None
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), str(os.getpid()).encode(), 0)
            yield
    finally:
        with _guard:
            _held.discard(key)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("a+b", buffering=0)
    except OSError as error:
        reason = error.strerror or error
        raise ResourceError(f"{path}: cannot be written: {reason}; choose another folder") from error


def _holder(handle: int) -> int | None:
    digits = os.pread(handle, 20, 0)
    return int(digits) if digits.isdigit() else None


def _in_use(folder: Path, holder: int | None) -> UsageError:
    who = f" (process {holder})" if holder else ""
    return UsageError(f"{folder}: in use by another training{who}; wait for it, or choose another --out")
