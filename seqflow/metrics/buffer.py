"""The longest buffer window of a series that no table gives one for, as TSB-AD estimates it.

Autocorrelation (biased, mean removed) of at most the first 20,000 points, lags 0 to 400. Of its strict local
maxima at lags above 3, the highest is taken, as the most likely period. Where that lies below lag 6 or above
lag 303, or where there is no maximum, the window is 125. Of several channels TSB-AD looks at the first. Its
published windows follow this rule, not the shorter one of later versions, which keeps lags 4 and 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft

from .runs import Floats

DEFAULT = 125
_POINTS, _BASE, _LAGS = 20_000, 3, 400
_LEAST, _MOST = 6, 303


def estimate_window(values: ArrayLike) -> int:
    """Longest buffer window for one channel (T), in points. Raises ValueError for values that are not finite,
    or not one-dimensional."""
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ValueError(f"values: must be one channel, one-dimensional, got {x.ndim} axes")
    x = x[:_POINTS]
    if not np.isfinite(x).all():
        raise ValueError(f"values: {int((~np.isfinite(x)).sum())} of {len(x)} are not finite")
    correlation = _autocorrelation(x)
    inner = correlation[_BASE + 1 : -1]
    peaks = np.flatnonzero((inner > correlation[_BASE:-2]) & (inner > correlation[_BASE + 2 :]))
    if not len(peaks):
        return DEFAULT
    lag = int(peaks[np.argmax(inner[peaks])]) + _BASE + 1
    return lag if _LEAST <= lag <= _MOST else DEFAULT


def _autocorrelation(x: Floats) -> Floats:
    """At lags 0 to 400, or as far as the series reaches: (L,). Of a constant series: nothing, (3,) zeros."""
    n = len(x)
    if n < _BASE + 3 or np.ptp(x) == 0.0:
        return np.zeros(_BASE)
    # Shifted by the scale too: squares of huge values would overflow.
    centred = x / np.abs(x).max()
    centred = centred - centred.mean()
    size = next_fast_len(2 * n, real=True)
    spectrum = rfft(centred, size)
    power = np.asarray(irfft(np.abs(spectrum) ** 2, size), dtype=np.float64)[: min(_LAGS + 1, n)]
    total: Floats = power / power[0]
    return total
