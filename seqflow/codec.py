"""The size of recordings as lossless audio: a code length that anyone can check.

Shapes: codes (C, n), whole numbers of the PCM format.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]

MOST_CHANNELS = 8
DEPTHS = (16, 24)
"""Bits of a sample that FLAC is asked for."""

_MARK = b"fLaC"


def pcm_depth(step: float) -> int | None:
    """The smallest of DEPTHS whose codes hold multiples of `step` (full scale 1.0); None for none."""
    for depth in DEPTHS:
        codes = step * 2.0 ** (depth - 1)
        if codes >= 1.0 and codes == round(codes):
            return depth
    return None


def flac_bits(signals: Iterable[Iterable[Codes]], depth: int, rate: float | None = None) -> float:
    """Bits per sample and channel of signals as one FLAC file each, at its highest compression.

    A signal comes in blocks. Headers count. `rate` in Hz only stands in the header. Raises ValueError where
    there is no sample.
    """
    size = count = 0
    hertz = min(max(1, round(rate or 8000.0)), 655_350)
    for blocks in signals:
        file, writer = io.BytesIO(), None
        for codes in blocks:
            if writer is None:
                writer = _writer(file, hertz, len(codes), depth)
            writer.write(_upper(codes, depth))
            count += codes.size
        if writer is not None:
            writer.close()
            size += len(file.getvalue())
    if not count:
        raise ValueError("no samples to write")
    return 8.0 * size / count


def frame_bits(codes: Codes, depth: int) -> int:
    """Bits of the FLAC frames of codes (n,), n >= 1, without the header of a file.

    At the highest compression; the same codes have the same bits, whatever was written before.
    """
    file = io.BytesIO()
    with _writer(file, 8000, 1, depth) as writer:
        writer.write(_upper(codes[None], depth))
    content = file.getvalue()
    at, last = len(_MARK), False
    while not last:
        # A block of the header: whether it is the last one, its kind, the bytes that follow.
        last = content[at] >= 128
        at += 4 + int.from_bytes(content[at + 1 : at + 4], "big")
    return 8 * (len(content) - at)


def _writer(file: io.BytesIO, hertz: int, channels: int, depth: int) -> soundfile.SoundFile:
    return soundfile.SoundFile(
        file, "w", hertz, channels, f"PCM_{depth}", format="FLAC", compression_level=1.0
    )


def _upper(codes: Codes, depth: int) -> NDArray[np.int32]:
    """(n, C): libsndfile takes the upper bits of each number."""
    return (codes.T.astype(np.int64) << (32 - depth)).astype(np.int32)
