"""The quantisation step of an audio file: the greatest common divisor of the distances of its codes.

8-bit sound in a 16-bit file has the step 256 / 32768: a model of densities that took it for 1 / 32768 would
be credited with up to 8 bits per sample that it did not earn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .audio_file import AudioFile

# Codes are counted in 2^-31 of full scale, as libsndfile hands out integers. Bits where not 16.
_SCALE = 31
_WIDTH = {"PCM_S8": 8, "PCM_U8": 8, "ALAC_20": 20, "PCM_24": 24, "ALAC_24": 24, "PCM_32": 32, "ALAC_32": 32}
# Float files: codes of 24 bits and fewer, which is all that float32 holds.
_FLOAT_SCALE = 23
_LARGEST = 2.0**38
# All of a short file; blocks spread over a long one, the first of them small: it settles most files.
_FIRST, _BLOCK, _BLOCKS = 4096, 1 << 14, 64


def code_step(file: AudioFile, channels: Sequence[int]) -> float | None:
    """Step of these channels, full scale 1.0; None where the samples lie on no lattice.

    Integer codes: the divisor of all distances; that of the format where the sound is constant. Floats: only
    where all are multiples of 2^-23, as of integers kept in a float file. Lossy formats: None.
    """
    if not file.lossless:
        return None
    finest = 1 << (32 - _WIDTH.get(file.subtype, 16)) if file.whole_numbers else 1
    divisor = 0
    origin: NDArray[np.int64] | None = None
    for codes in _codes(file, channels):
        if codes is None:
            return None
        if not len(codes):
            continue
        if origin is None:
            origin = codes[0]
        divisor = int(np.gcd(divisor, np.gcd.reduce((codes - origin).ravel())))
        if file.whole_numbers and divisor == finest:
            break
    if file.whole_numbers:
        return (divisor or finest) / 2.0**_SCALE
    return divisor / 2.0**_FLOAT_SCALE if divisor else None


def _codes(file: AudioFile, channels: Sequence[int]) -> Iterator[NDArray[np.int64] | None]:
    """Blocks of codes (n, C); None where floats are not codes."""
    for start, frames in _places(file.frames):
        if file.whole_numbers:
            try:
                yield file.read(start, frames, "int32")[:, channels].astype(np.int64)
            except InputError as error:
                if error.code != "corrupt":
                    raise
        else:
            yield _float_codes(file.read(start, frames, "float64")[:, channels])


def _float_codes(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    values = values[np.isfinite(values).all(axis=1)]
    if (np.abs(values) > _LARGEST).any():
        return None
    scaled = values * 2.0**_FLOAT_SCALE
    codes = scaled.astype(np.int64)
    return codes if (codes == scaled).all() else None


def _places(frames: int) -> Iterator[tuple[int, int]]:
    yield 0, _FIRST
    if frames <= _BLOCK * _BLOCKS:
        yield from ((start, _BLOCK) for start in range(_FIRST, frames, _BLOCK))
    else:
        yield from ((i * (frames - _BLOCK) // (_BLOCKS - 1), _BLOCK) for i in range(_BLOCKS))
