"""Corruptions that add something to a recording.

Shapes: x (C, T), float64. `rate` is in Hz, 1 for recordings without a clock. Of the recording, what is added
depends on the level alone: per channel, the deviation (root mean square around the mean) is the unit.
Something of an SNR of s dB has, over the whole recording, 10^(s/10) times less power than the channel.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..data.faults import ringing, sign, strikes

Array = NDArray[np.float64]

SNR_DB = 10.0
CLICK_PEAK, CLICK_LENGTH = 10.0, 48
DRIFT_END = 2.0
TONE_RANGE = (0.03, 0.45)
HUM_HZ, HUM_HARMONICS, HUM_PITCH, HUM_SLOWEST = 50.0, 5, 1.0 / 160.0, 1000.0
BURST_SHARE, BURST_DECAY_DB = 0.05, 60.0
STRIKE_GAP, STRIKE_LENGTH = 80.0, 64


def tone(x: Array, rate: float, rng: Generator) -> Array:
    """A sine of random frequency, 0.03 to 0.45 of the rate, at SNR_DB."""
    pitch, phase = rng.uniform(*TONE_RANGE), rng.uniform(0.0, 2.0 * np.pi)
    return _at_snr(x, np.sin(2.0 * np.pi * pitch * np.arange(x.shape[1]) + phase))


def noise(x: Array, rate: float, rng: Generator) -> Array:
    """White Gaussian noise at SNR_DB, another in each channel."""
    return _at_snr(x, rng.standard_normal(x.shape))


def hum(x: Array, rate: float, rng: Generator) -> Array:
    """50 Hz, below 1 kHz or without a clock 1/160 of the rate, and its harmonics 2 to 5 at 1/k, at SNR_DB."""
    pitch = HUM_HZ / rate if rate >= HUM_SLOWEST else HUM_PITCH
    time, phases = np.arange(x.shape[1]), rng.uniform(0.0, 2.0 * np.pi, HUM_HARMONICS)
    waves = [
        np.sin(2.0 * np.pi * k * pitch * time + phase) / k for k, phase in enumerate(phases.tolist(), start=1)
    ]
    return _at_snr(x, np.sum(waves, axis=0))


def click(x: Array, rate: float, rng: Generator) -> Array:
    """One ringing impulse of 48 samples anywhere, its peak at 10 deviations (20 dB)."""
    n = min(CLICK_LENGTH, x.shape[1])
    start = int(rng.integers(x.shape[1] - n + 1))
    y = x.copy()
    y[:, start : start + n] += CLICK_PEAK * _deviation(x) * sign(rng) * ringing(n, rng)
    return y


def transient(x: Array, rate: float, rng: Generator) -> Array:
    """A burst of noise over 5% of the length, anywhere, that dies away by 60 dB; SNR_DB over the whole."""
    length = x.shape[1]
    n = max(2, round(BURST_SHARE * length))
    start = int(rng.integers(length - n + 1))
    burst = np.zeros(length)
    envelope = 10.0 ** (-BURST_DECAY_DB / 20.0 * np.arange(n) / n)
    burst[start : start + n] = envelope * rng.standard_normal(n)
    return _at_snr(x, burst)


def bearing(x: Array, rate: float, rng: Generator) -> Array:
    """Ringing impulses at 1/80 of the rate, their gaps uneven by 2%, at SNR_DB."""
    n = x.shape[1]
    train = strikes(n, STRIKE_GAP, rng)
    return _at_snr(x, np.convolve(train, ringing(STRIKE_LENGTH, rng))[:n])


def drift(x: Array, rate: float, rng: Generator) -> Array:
    """A straight line from 0 at the beginning to 2 deviations, up or down, at the end."""
    return x + DRIFT_END * _deviation(x) * sign(rng) * np.linspace(0.0, 1.0, x.shape[1])


def _at_snr(x: Array, added: Array) -> Array:
    """x and what is added, (T,) or (C, T), brought to SNR_DB in every channel."""
    power = np.mean(added**2, axis=-1, keepdims=True)
    return np.asarray(x + added * _deviation(x) * 10.0 ** (-SNR_DB / 20.0) / np.sqrt(power))


def _deviation(x: Array) -> Array:
    return np.asarray(x.std(axis=1, keepdims=True))
