"""Corruptions that take something from a recording, or put it otherwise.

Shapes: x (C, T), float64. `rate` is in Hz, 1 for recordings without a clock.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfiltfilt

Array = NDArray[np.float64]

ATTENUATION_DB, CLIP_DB = 20.0, 12.0
LOW_PASS_EDGE, LOW_PASS_ORDER = 0.125, 8
GAPS, GAP_SHARE = 5, 0.1
HELD = 4
# 63/50 is 4 semitones to 0.01%.
PITCH_UP, PITCH_DOWN = 63, 50


def silence(x: Array, rate: float, rng: Generator) -> Array:
    """Every sample is 0."""
    return np.zeros_like(x)


def attenuation(x: Array, rate: float, rng: Generator) -> Array:
    """20 dB quieter, the mean of each channel kept."""
    mean = x.mean(axis=1, keepdims=True)
    return np.asarray(mean + 10.0 ** (-ATTENUATION_DB / 20.0) * (x - mean))


def clipping(x: Array, rate: float, rng: Generator) -> Array:
    """Cut at 12 dB below the largest distance of each channel from its mean."""
    mean = x.mean(axis=1, keepdims=True)
    limit = 10.0 ** (-CLIP_DB / 20.0) * np.abs(x - mean).max(axis=1, keepdims=True)
    return np.asarray(np.clip(x, mean - limit, mean + limit))


def low_pass(x: Array, rate: float, rng: Generator) -> Array:
    """Nothing above 1/8 of the rate, where the level is 6 dB down: Butterworth of order 8, to and fro."""
    mean = x.mean(axis=1, keepdims=True)
    filters = butter(LOW_PASS_ORDER, 2.0 * LOW_PASS_EDGE, output="sos")
    pad = min(3 * (2 * len(filters) + 1), x.shape[1] - 1)
    return np.asarray(mean + sosfiltfilt(filters, x - mean, axis=1, padlen=pad))


def dropout(x: Array, rate: float, rng: Generator) -> Array:
    """5 gaps of zeros, together 10% of the length, one anywhere in each fifth."""
    y, length = x.copy(), x.shape[1]
    n = max(1, round(GAP_SHARE * length / GAPS))
    borders = np.linspace(0, length, GAPS + 1).astype(int).tolist()
    for begin, end in pairwise(borders):
        start = int(rng.integers(begin, end - n + 1))
        y[:, start : start + n] = 0.0
    return y


def sample_hold(x: Array, rate: float, rng: Generator) -> Array:
    """Every fourth sample is held until the next."""
    return np.asarray(np.repeat(x[:, ::HELD], HELD, axis=1)[:, : x.shape[1]])


def time_reversal(x: Array, rate: float, rng: Generator) -> Array:
    """From its end to its beginning."""
    return np.asarray(x[:, ::-1]).copy()


def pitch_shift(x: Array, rate: float, rng: Generator) -> Array:
    """4 semitones lower, and as much slower: its first 79% at the old length."""
    # Without the mean, on which the filter's phases would leave a ripple.
    mean = x.mean(axis=1, keepdims=True)
    y = resample_poly(x - mean, PITCH_UP, PITCH_DOWN, axis=1, padtype="line")
    return np.asarray(mean + y[:, : x.shape[1]])
