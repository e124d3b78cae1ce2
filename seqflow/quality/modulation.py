"""How sequences swell and fade: the spectrum of their envelope, band by band.

Shapes: sequences (N, C, T); modulation levels (N, K, J), K bands of frequency and J of modulation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

_FLOOR = 1e-6
_CHUNK = 1 << 20


def modulation_bands(bands: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Octaves of modulation: (J, 2) bins of the spectrum of an envelope of T samples, lowest first.

    From 2 cycles a sequence up to the width of the widest band, beyond which no envelope moves.
    """
    widest = int((bands[:, 1] - bands[:, 0]).max())
    count = max(1, int(np.log2(max(widest, 4))) - 1)
    return np.array([(2 << j, 4 << j) for j in range(count)], dtype=np.int64)


def modulation_levels(x: Array, bands: NDArray[np.int64], noise: Array) -> Array:
    """Level of modulation, dB: (N, K, J), the mean over channels; NaN where a band is too narrow for it.

    The envelope a(t) of a band is the magnitude of its analytic signal. Its modulation m(t) = a(t)/mean a - 1
    under a Hann window w has in each octave the power Σ 2·|DFT(w·m)|² / (T·Σw²); the level is 10·log10 of
    that plus 1e-6. Bands quieter than white noise of variance `noise` (C) count as not modulated.
    """
    n, channels, length = x.shape
    octaves = modulation_bands(bands, length)
    taper = scipy.signal.windows.hann(length, sym=False)
    scale = 2.0 / (length * float(np.square(taper).sum()))
    widths = bands[:, 1] - bands[:, 0]
    fits = octaves[None, :, 1] <= np.maximum(widths, 4)[:, None]
    quiet = np.sqrt(np.asarray(noise, np.float64)[:, None] * widths * (2.0 / length))
    levels = np.full((n, len(bands), len(octaves)), np.nan)
    size = max(1, _CHUNK // (channels * length))
    for at in range(0, n, size):
        part = np.asarray(x[at : at + size], np.float64)
        spectrum = scipy.fft.rfft(part)
        for k, (low, high) in enumerate(bands):
            one_sided = np.zeros(part.shape, np.complex128)
            one_sided[..., low:high] = 2.0 * spectrum[..., low:high]
            envelope = np.abs(scipy.fft.ifft(one_sided))
            mean = envelope.mean(axis=-1, keepdims=True)
            moved = (envelope - mean) / (mean + quiet[:, k][:, None] + 1e-300)
            power = np.square(np.abs(scipy.fft.rfft(moved * taper))) * scale
            for j, (first, last) in enumerate(octaves):
                if fits[k, j]:
                    total = power[..., first:last].sum(axis=-1)
                    levels[at : at + size, k, j] = 10.0 * np.log10(total + _FLOOR).mean(axis=1)
    return levels


def modulation_distance(levels: Array, reference: Array) -> float:
    """Root mean square over all bands of the difference between the mean levels of two sets, dB."""
    difference = levels.mean(axis=0) - reference.mean(axis=0)
    return float(np.sqrt(np.nanmean(np.square(difference))))
