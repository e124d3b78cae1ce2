"""Unpacking of archives from elsewhere: regular files only, below one folder, within limits."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from ..errors import InputError
from .globs import Globs

MOST_FILES = 1_000_000
MOST_BYTES = 64 << 30
"""Most bytes that an archive may unpack to, those of files that are left out among them."""

_BLOCK = 1 << 20
_LARGEST_READ = 16 << 20
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # a password
)


class _Member(NamedTuple):
    name: str
    size: int
    source: IO[bytes] | None
    """None for what is no regular file."""


def unpack(archive: Path, out: Path, *, keep: Globs, strip: int = 0, most_bytes: int = MOST_BYTES) -> int:
    """Unpack a zip file, or a tar file, plain or under gzip, into a folder; the number of files written.

    Names lose their first `strip` folders; those that then match `keep` are written. Links, devices and pipes
    never are.

    Raises InputError: `corrupt`; `outside_root` for absolute names and `..`; `duplicate` for a name twice;
    `too_large` beyond a million entries or `most_bytes`; `empty` where nothing matches. OSError where
    writing fails.
    """
    total = entries = count = 0
    try:
        for member in _members(archive):
            entries += 1
            total += member.size
            if entries > MOST_FILES or total > most_bytes:
                text = f"unpacks to more than {most_bytes} bytes or {MOST_FILES} entries"
                raise InputError(archive, "too_large", f"{text}; get it by other means")
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
                raise InputError(
                    archive, "outside_root", f"{member.name[:200]!r} would not lie below the folder"
                )
            parts = path.parts[strip:]
            if member.source is None or not parts or not keep.match("/".join(parts)):
                continue
            _write(archive, member, out.joinpath(*parts))
            count += 1
    except _BROKEN as error:
        raise InputError(archive, "corrupt", f"cannot be unpacked: {error}; fetch it again") from error
    if not count:
        raise InputError(archive, "empty", "holds none of the files expected")
    return count


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            for info in file.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.is_dir() or kind not in (0, stat.S_IFREG):
                    yield _Member(info.filename, info.file_size, None)
                    continue
                with file.open(info) as source:
                    yield _Member(info.filename, info.file_size, source)
        return
    with archive.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with (
        cast(IO[bytes], gzip.open(archive) if zipped else archive.open("rb")) as stream,
        tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream)), mode="r:") as tar,
    ):
        for entry in tar:
            yield _Member(entry.name, entry.size, tar.extractfile(entry) if entry.isreg() else None)
        # The checksum of gzip stands at the end of what may be padding, but no more than that.
        if len(stream.read(_LARGEST_READ)) == _LARGEST_READ:
            raise tarfile.ReadError("more than 16 MiB follow the last file")


class _Bounded(io.RawIOBase):
    """A file that hands out at most 16 MiB at once: extended headers say themselves how long they are."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError("a header of more than 16 MiB")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _write(archive: Path, member: _Member, target: Path) -> None:
    """Copy what the archive says that there is, no more."""
    assert member.source is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(member.source, file, _BLOCK)
            if file.tell() != member.size:
                raise InputError(archive, "corrupt", f"{member.name[:200]!r} is not as long as it should be")
    except FileExistsError:
        raise InputError(
            archive, "duplicate", f"{member.name[:200]!r} is there twice; fetch it again"
        ) from None
