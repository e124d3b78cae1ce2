"""One run at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ResourceError, UsageError
from .files import make_folder

NAME = ".lock"

_held: set[Path] = set()
_guard = threading.Lock()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """The folder, made where it is not there, for this process alone.

    The lock goes with the process: nothing is left to clear away after a kill. It is one that child processes
    do not share, since those that load data may outlive a killed training by seconds. Where nothing came to
    lie in the folder, neither the lock's file nor folders made for it stay. Raises UsageError where another
    run holds it, ResourceError where the folder cannot be used.
    """
    # Unlike Path.exists, this takes a name that is too long for one that is not there.
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]  # noqa: PTH110
    make_folder(folder)
    key = folder.resolve()
    # Within a process a second lock on the file would succeed.
    with _guard:
        if key in _held:
            raise _in_use(folder, os.getpid())
        _held.add(key)
    try:
        with _locked(folder):
            try:
                yield
            finally:
                # While it is still held: whoever opened the file meanwhile sees that it has lost its name.
                if [path.name for path in folder.iterdir()] == [NAME]:
                    (folder / NAME).unlink(missing_ok=True)
    finally:
        with _guard:
            _held.discard(key)
        with suppress(OSError):  # the first that is not empty
            for path in made:
                path.rmdir()


def _locked(folder: Path) -> BinaryIO:
    """The lock's file, open and held."""
    while True:
        file = _open(make_folder(folder) / NAME)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = _holder(file.fileno())
            file.close()
            raise _in_use(folder, holder) from None
        if os.fstat(file.fileno()).st_nlink:
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), str(os.getpid()).encode(), 0)
            return file
        file.close()


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
    return UsageError(f"{folder}: in use by another run{who}; wait for it, or choose another --out")
