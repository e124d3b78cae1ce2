"""What an audio file says of its own length, to be held against what is there: libsndfile does not complain.

Formats: WAV, RF64, AIFF, W64, CAF, AU (chunks with a size), Ogg (pages), MP3 (length header, see mpeg.py).
FLAC declares a number of samples and no bytes: whether they are there, only decoding tells.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .mpeg import is_mpeg, look_at_mpeg
from .regular import unreadable

# What programs write that cannot go back to fill in the size, as they stream into a pipe; less their headers.
_UNKNOWN = (0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
_HEADERS = 256
_MOST_CHUNKS = 4096
_LONGEST_PAGE = 65_307
_NO_POSITION = (1 << 64) - 1


class Look(NamedTuple):
    """What the headers say.

    Attributes:
        fault: a line on what is missing or would be left out; "" for nothing.
        sized: whether a length is declared.
        last_page: frames in the last page of an Ogg stream; None where that is not known.
    """

    fault: str = ""
    sized: bool = True
    last_page: int | None = 0


class _Layout(NamedTuple):
    """How the chunks of a format lie: a header of name and size, the content, padding."""

    first: int
    header: str
    inclusive: bool  # the size counts its header
    pad: int
    sound: bytes


_LAYOUTS = {
    b"RIFF": _Layout(12, "<4sI", False, 2, b"data"),
    b"RIFX": _Layout(12, ">4sI", False, 2, b"data"),
    b"RF64": _Layout(12, "<4sI", False, 2, b"data"),
    b"BW64": _Layout(12, "<4sI", False, 2, b"data"),
    b"FORM": _Layout(12, ">4sI", False, 2, b"SSND"),
    b"riff": _Layout(40, "<4s12xQ", True, 8, b"data"),
    b"caff": _Layout(8, ">4sQ", False, 1, b"data"),
}


def look(path: Path, size: int) -> Look:
    """Read the headers of a file of `size` bytes. Raises InputError `unreadable`."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
            if start[:4] in _LAYOUTS:
                return Look(_missing(_sound(file, size, start[:4])))
            if start[:4] == b".snd" and len(start) >= 12:
                begin, declared = struct.unpack(">II", start[4:12])
                return Look(_missing((declared, size - begin)))
            if start[:4] == b"OggS":
                return _ogg(file, size, start)
            if is_mpeg(start):
                found = look_at_mpeg(file, size)
                return Look(found.fault or _missing(found.extent), found.sized)
            return Look()
    except OSError as error:
        raise unreadable(path, error) from None


def _missing(extent: tuple[int, int] | None) -> str:
    if extent is None:
        return ""
    declared, present = extent
    if declared <= present or any(0 <= unknown - declared < _HEADERS for unknown in _UNKNOWN):
        return ""
    return f"the header declares {declared} bytes of sound and the file holds {max(present, 0)}"


def _sound(file: BinaryIO, size: int, kind: bytes) -> tuple[int, int] | None:
    """Bytes of sound that are declared, and that can be there before the file ends; None: no such chunk."""
    layout = _LAYOUTS[kind]
    length = struct.calcsize(layout.header)
    at = layout.first
    wide: int | None = None
    for _ in range(_MOST_CHUNKS):
        if at >= size:
            return None
        file.seek(at)
        header = file.read(length)
        if len(header) < length:
            return None
        name, declared = struct.unpack(layout.header, header)
        if layout.inclusive:
            declared -= length
        begin = at + length
        if name == layout.sound:
            return (declared if wide is None else wide, size - begin)
        if name == b"ds64":  # sizes beyond 4 GB: of the file, then of the sound
            sizes = file.read(16)
            wide = struct.unpack("<8xQ", sizes)[0] if len(sizes) == 16 else None
        if declared < 0:
            return None
        at = begin + declared + -declared % layout.pad
    return None


def _ogg(file: BinaryIO, size: int, start: bytes) -> Look:
    """Whether the last page is there, whole, marked as the last, and of the stream that the first began."""
    file.seek(max(0, size - 4 * _LONGEST_PAGE))
    pages = _pages(file.read())
    ends = [position for page in pages if (position := int.from_bytes(page[6:14], "little")) != _NO_POSITION]
    last_page = ends[-1] - ends[-2] if len(ends) > 1 else None
    if not pages or not pages[-1][5] & 4:
        return Look("the closing page of the Ogg stream is missing", last_page=last_page)
    if pages[-1][14:18] != start[14:18]:
        return Look("the file holds several Ogg streams, of which one alone is decoded", last_page=last_page)
    return Look(last_page=last_page)


def _pages(data: bytes) -> list[bytes]:
    """The headers of the whole pages in a piece of an Ogg file."""
    pages = []
    at = data.find(b"OggS")
    while at >= 0:
        header = data[at : at + 27 + 255]
        end = at + 27 + header[26] + sum(header[27 : 27 + header[26]]) if len(header) >= 27 else len(data) + 1
        if end <= len(data):
            pages.append(header[:27])
        at = data.find(b"OggS", max(at + 4, end))
    return pages
