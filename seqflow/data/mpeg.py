"""What the headers of an MP3 file say of its length.

The decoder takes the length from the header that encoders put first (`Xing`, `Info`), or guesses it from the
bit rate of the first frame: wrong where the rate varies, and blind to what was appended.
"""

from __future__ import annotations

import mmap
import struct
from typing import BinaryIO, NamedTuple

_SYNC = 0xFFE00000
# kbit/s of layer III by index: MPEG 1, then MPEG 2 and 2.5
_BITRATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES = (44_100, 48_000, 32_000)
_LAYER_3 = 1


class MpegLook(NamedTuple):
    """A fault or ""; declared and present bytes, None where unknown; whether a length header is there."""

    fault: str
    extent: tuple[int, int] | None
    sized: bool


def is_mpeg(start: bytes) -> bool:
    """Whether a file that starts with these bytes is decoded as MP3."""
    return start[:3] == b"ID3" or (len(start) >= 2 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0)


def look_at_mpeg(file: BinaryIO, size: int) -> MpegLook:
    """Read the length header of an MP3 file, or, where there is none, the headers of all frames."""
    begin = _after_tags(file)
    file.seek(begin)
    frame = file.read(256)
    at = max(frame[:64].find(b"Xing"), frame[:64].find(b"Info"))
    if at < 0:
        return MpegLook(_varies(file, begin), None, sized=False)
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    if not flags & 2:
        return MpegLook("", None, sized=bool(flags & 1))
    field = at + 8 + 4 * (flags & 1)
    declared = int.from_bytes(frame[field : field + 4], "big")
    file.seek(begin + declared)
    if is_mpeg(file.read(4)):
        return MpegLook("the file holds several MP3 streams, of which one alone is decoded", None, sized=True)
    return MpegLook("", (declared, size - begin), sized=True)


def _after_tags(file: BinaryIO) -> int:
    """Where the first frame begins: behind ID3v2 tags."""
    at = 0
    while True:
        file.seek(at)
        tag = file.read(10)
        if len(tag) < 10 or tag[:3] != b"ID3":
            return at
        at += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))


def _varies(file: BinaryIO, begin: int) -> str:
    """Whether frames from `begin` on have several bit rates: then the length cannot be told."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = None
        while begin + 4 <= len(data):
            frame = _frame(struct.unpack_from(">I", data, begin)[0])
            if frame is None:
                break
            bitrate, length = frame
            if first is None:
                first = bitrate
            if bitrate != first:
                return "an MP3 of variable bit rate without a length header, whose length is a guess"
            begin += length
    return ""


def _frame(header: int) -> tuple[int, int] | None:
    """Bit rate, kbit/s, and length, bytes, of a frame of layer III; None where this heads no such frame."""
    version, layer = header >> 19 & 3, header >> 17 & 3
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    if header & _SYNC != _SYNC or version == 1 or layer != _LAYER_3 or bitrate in (0, 15) or rate == 3:
        return None
    old = version == 3
    kilobits = _BITRATES[0 if old else 1][bitrate]
    hertz = _RATES[rate] >> (0 if old else 1 if version == 2 else 2)
    return kilobits, (144_000 if old else 72_000) * kilobits // hertz + (header >> 9 & 1)
