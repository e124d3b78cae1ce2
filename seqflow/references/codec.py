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
                writer = soundfile.SoundFile(
                    file, "w", hertz, len(codes), f"PCM_{depth}", format="FLAC", compression_level=1.0
                )
            # libsndfile takes the upper bits of each number.
            writer.write((codes.T.astype(np.int64) << (32 - depth)).astype(np.int32))
            count += codes.size
        if writer is not None:
            writer.close()
            size += len(file.getvalue())
    if not count:
        raise ValueError("no samples to write")
    return 8.0 * size / count
