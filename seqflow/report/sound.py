"""Sequences as sound that a page holds within itself."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import scipy.io.wavfile
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

PEAK = 0.99
LEVEL = 0.1
"""RMS to which sounds are matched, full scale 1: 20 dB below it."""


def wav_uri(x: Array, rate: float) -> str:
    """A sequence (C, T), full scale 1, as a data: URI of a 16-bit WAV file; what is beyond is cut off."""
    scaled = np.clip(np.round(np.asarray(x, np.float64) * 32768.0), -32768, 32767).astype(np.int16)
    file = io.BytesIO()
    scipy.io.wavfile.write(file, max(1, round(rate)), np.ascontiguousarray(scaled.T))
    return uri("audio/wav", file.getvalue())


def matched(x: Array) -> Array:
    """The sequence brought to the common level, or as near as its peak allows without being cut."""
    wide = np.asarray(x, np.float64)
    rms = float(np.sqrt(np.square(wide).mean()))
    peak = float(np.abs(wide).max())
    if rms == 0.0:
        return wide
    return wide * min(LEVEL / rms, PEAK / peak)


def uri(kind: str, data: bytes) -> str:
    """Data of a MIME type as a URI that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
