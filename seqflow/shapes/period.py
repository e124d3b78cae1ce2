"""The period of a series from its autocorrelation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

# Samples looked at, least lag, longest, and the least autocorrelation that counts.
_SEEN, _SHORTEST, _LONGEST, _LEAST = 20_000, 3, 1_000, 0.1


def find_period(x: NDArray[np.floating[Any]]) -> int | None:
    """Lag, in samples, of the highest local maximum of the autocorrelation of x (T,); None without one.

    Looks at lags from 3 to a third of the samples, 1,000 at most, of the first 20,000 samples. A maximum
    below 0.1 is no period. r_k = Σ (x_t - mean)(x_{t+k} - mean) / Σ (x_t - mean)², whose bias is not taken
    out, so that of equal maxima the shortest lag wins.
    """
    seen = np.asarray(x[:_SEEN], np.float64)
    longest = min(_LONGEST, len(x) // 3, len(seen) - 1)
    if longest <= _SHORTEST + 1:
        return None
    centred = seen - seen.mean()
    size = scipy.fft.next_fast_len(2 * len(centred), real=True)
    r = scipy.fft.irfft(np.abs(scipy.fft.rfft(centred, size)) ** 2, size)[: longest + 1]
    if not r[0] > 0.0:
        return None
    r = r / r[0]
    inner = r[_SHORTEST : longest - 1]
    peaks = (inner >= r[_SHORTEST - 1 : longest - 2]) & (inner >= r[_SHORTEST + 1 : longest])
    if not peaks.any():
        return None
    best = int(np.where(peaks, inner, -np.inf).argmax())
    return best + _SHORTEST if inner[best] > _LEAST else None
