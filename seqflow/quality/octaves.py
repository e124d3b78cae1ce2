"""Octave bands and the level of sequences in them.

Shapes: sequences (N, C, T); levels (N, K) for K bands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MOST_BANDS = 10
_FEWEST_BINS = 4
_CHUNK = 1 << 22


def octave_bands(length: int) -> NDArray[np.int64]:
    """Bands of the spectrum of T samples: (K, 2) first bin, and the one after the last, lowest band first.

    From half the sampling rate downwards each is an octave, as long as it has 4 bins, and 10 at most; the
    lowest holds what is left but for bin 0, the mean. Raises ValueError for fewer than 16 samples.
    """
    if length < 16:
        raise ValueError(f"{length} samples are too few for a spectrum in bands: give 16 or more")
    edges = [length // 2 + 1]
    while len(edges) < MOST_BANDS and edges[-1] - (low := (length >> len(edges)) // 2 + 1) >= _FEWEST_BINS:
        edges.append(low)
    if edges[-1] > 1:
        edges.append(1)
    return np.array(list(zip(edges[1:], edges[:-1], strict=True))[::-1], dtype=np.int64)


def band_edges(bands: NDArray[np.int64], length: int, rate: float) -> Array:
    """The same bands in the unit of the rate, Hz: (K, 2). Bin k is from k - 1 to k."""
    return (bands - 1) * (rate / length)


def band_levels(x: Array, bands: NDArray[np.int64], noise: Array) -> Array:
    """Level 10·log10 P of each sequence in each band, dB: (N, K), the mean over channels.

    P, units², is the power of the sequence without its mean under a Hann window w: the sum over the band's
    bins of 2·|DFT(w·x)|² / (T·Σw²), so that white noise of variance σ² has σ² in all bands together. To it
    comes the power that white noise of variance `noise` (C) would have there: no level falls below that of
    the quantisation of the data, and silence has one.
    """
    n, channels, length = x.shape
    taper = scipy.signal.windows.hann(length, sym=False)
    scale = 2.0 / (length * float(np.square(taper).sum()))
    floor = np.asarray(noise, np.float64)[:, None] * (bands[:, 1] - bands[:, 0]) * (2.0 / length)
    levels = np.empty((n, len(bands)))
    size = max(1, _CHUNK // (channels * length))
    for at in range(0, n, size):
        part = np.asarray(x[at : at + size], np.float64)
        part = (part - part.mean(axis=-1, keepdims=True)) * taper
        power = np.square(np.abs(scipy.fft.rfft(part))) * scale
        sums = np.stack([power[..., low:high].sum(axis=-1) for low, high in bands], axis=-1)
        levels[at : at + size] = 10.0 * np.log10(sums + floor).mean(axis=1)
    return levels
