"""Spectrograms on a perceptual or logarithmic scale of frequency.

Shapes: sequences (N, C, T); log spectrograms (N, M, F), M filters and F frames.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MOST_FILTERS = 40
_SECONDS = 0.032
_CHUNK = 1 << 22


@dataclass(frozen=True)
class FilterBank:
    """Hann frames of `size` samples every `hop`, and weights (M, size/2 + 1) over their power spectra."""

    size: int
    hop: int
    weights: Array

    def levels(self, x: Array, noise: Array) -> Array:
        """Level 10·log10 of the power in each filter and frame, dB: (N, M, F) float32, mean over channels.

        The weights of a filter sum to 1: its power is a mean density, units², of which white noise of
        variance σ² has σ² everywhere. Powers are raised by `noise` (C), the variance below which there is
        nothing but quantisation.
        """
        n, channels, length = x.shape
        frames = 1 + (length - self.size) // self.hop
        taper = scipy.signal.windows.hann(self.size, sym=False)
        scale = 1.0 / float(np.square(taper).sum())
        floor = np.asarray(noise, np.float64)[:, None, None]
        levels = np.empty((n, len(self.weights), frames), np.float32)
        step = max(1, _CHUNK // (channels * length * (self.size // self.hop)))
        for at in range(0, n, step):
            part = np.asarray(x[at : at + step], np.float64)
            part = part - part.mean(axis=-1, keepdims=True)
            cut = np.lib.stride_tricks.sliding_window_view(part, self.size, axis=-1)[:, :, :: self.hop]
            power = np.square(np.abs(scipy.fft.rfft(cut * taper))) * scale
            banked = power @ self.weights.T
            levels[at : at + step] = 10.0 * np.log10(banked.transpose(0, 1, 3, 2) + floor).mean(axis=1)
        return levels


def mel_bank(rate: float, length: int) -> FilterBank:
    """Mel filters for sound at `rate`, Hz: frames of about 32 ms, half overlapping; at most 40 filters.

    Slaney's scale, as librosa has it. Raises ValueError for sequences of fewer than 16 samples.
    """
    import librosa

    size = _frame(round(rate * _SECONDS), length)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters")
        weights = librosa.filters.mel(sr=rate, n_fft=size, n_mels=min(MOST_FILTERS, max(4, size // 5)))
    return FilterBank(size, size // 2, _normalized(weights))


def third_octave_bank(length: int) -> FilterBank:
    """Bands of a third of an octave for anything but sound: 16 frames to a sequence, or as many as fit.

    Raises ValueError for sequences of fewer than 16 samples.
    """
    size = _frame(length // 8, length)
    bins = np.arange(size // 2 + 1)
    # Band 0 is half the sampling rate; bin 0, the mean, belongs to none.
    band = np.full(len(bins), -1)
    band[1:] = np.floor(3.0 * np.log2(size / 2 / bins[1:]) + 1e-9).astype(int)
    weights = np.stack([(band == k).astype(np.float64) for k in range(band.max(), -1, -1)])
    return FilterBank(size, size // 2, _normalized(weights))


def _frame(wanted: int, length: int) -> int:
    """The power of two nearest to what is wanted that is at least 16 and fits into the sequence."""
    if length < 16:
        raise ValueError(f"{length} samples are too few for a spectrogram: give 16 or more")
    return int(min(2 ** round(np.log2(max(wanted, 16))), 2 ** int(np.log2(length))))


def _normalized(weights: Array) -> Array:
    """Rows that sum to 1; empty ones are left out."""
    kept = np.asarray(weights, np.float64)
    kept = kept[kept.sum(axis=1) > 0]
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))
