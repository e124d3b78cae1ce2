"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ResourceError, UsageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers that say there is no room."""


@contextmanager
def atomic(path: Path, *, settled: bool = True) -> Iterator[BinaryIO]:
    """A binary file to write to; it gets the name `path` when the block ends without an error.

    The data lie on the disk before the name does. After an error, a full disk or a kill the file that was
    there before is untouched. `settled`: the name lies on the disk too when the block has ended; without, a
    power cut may bring back, whole, what was there before. Raises ResourceError where the file cannot be
    written.
    """
    temporary: str | None = None
    try:
        name = os.path.join(path.parent, f".{path.name[:50]}.{secrets.token_hex(8)}.tmp")  # noqa: PTH118
        # As for every file, the system's mask says who may read it.
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        temporary = name
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105
        temporary = None
        if settled:
            _sync_folder(path.parent)
    except OSError as error:
        reason = "no space left on the disk" if error.errno in FULL else str(error.strerror or error)
        raise ResourceError(
            f"{path}: cannot be written: {reason}; make room or choose another folder"
        ) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108


def sha256(path: Path) -> str:
    """Hex SHA-256 of a whole file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str, *, settled: bool = True) -> None:
    """Write a text file as UTF-8, whole or not at all; see `atomic`."""
    with atomic(path, settled=settled) as file:
        file.write(text.encode())


def make_folder(path: Path) -> Path:
    """The folder, made with its parents where it is not there. Raises ResourceError where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{path}: cannot be made: {error.strerror or error}; choose another folder"
        ) from error
    return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, with names of its own; it gets the name `path` when the block ends without an error.

    Until then it lies hidden beside its place; after an error nothing is left of it, nor of folders made for
    it. Raises UsageError where something is at `path` already, but for an empty folder, and ResourceError
    where no folder can be made there.
    """
    # Unlike Path.exists, this takes a name that is too long for one that is not there.
    made = [parent for parent in path.parents if not os.path.exists(parent)]  # noqa: PTH110
    make_folder(path.parent)
    try:
        _refuse_taken(path)
        try:
            with tempfile.TemporaryDirectory(
                prefix=f".{path.name[:50]}.", suffix=".tmp", dir=path.parent
            ) as t:
                # One below, since that one is for its owner alone.
                folder = make_folder(Path(t, "new"))
                yield folder
                _refuse_taken(path)
                folder.replace(path)
                _sync_folder(path.parent)
        except OSError as error:
            raise ResourceError(
                f"{path}: cannot be made: {error.strerror or error}; choose another folder"
            ) from error
    finally:
        with suppress(OSError):  # the first that is not empty
            for parent in made:
                parent.rmdir()


def _refuse_taken(path: Path) -> None:
    if not os.path.lexists(path):
        return
    if not path.is_dir() or path.is_symlink():
        raise UsageError(f"{path}: is there already; choose another --out")
    found = sorted(os.listdir(path))  # noqa: PTH208
    if found:
        raise UsageError(f"{path}: is there already, and not empty ({found[0]}); choose another --out")


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems cannot sync a folder
    finally:
        os.close(handle)
