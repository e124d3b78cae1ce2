"""Made-up recordings: tones, a rotating machine, a sensor with a daily cycle. The same for the same seed.

Shapes: values (C, T), T = round(seconds·rate).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter

from ..errors import UsageError
from ..recipe.data import Channels, SyntheticData
from .conditions import name_conditions
from .faults import FAULTS, inject
from .recording import ArrayRecording, Kind, Recording

__all__ = ["DAY", "FAULTS", "inject", "make_recordings"]

Array = NDArray[np.float64]

DAY = 288
"""Samples in a day of the generator `sensor`: one every five minutes, whatever rate is claimed."""

_LARGEST = 1 << 32


class _Generator(NamedTuple):
    make: Callable[[int, float, float, Generator], Array]
    kind: Kind
    rate: float
    step: float | None
    names: tuple[str, ...]
    channels: int


def make_recordings(config: SyntheticData) -> list[Recording]:
    """The recordings that a recipe's `data` describes, as float32 arrays in memory.

    sine: three drifting tones and noise, 1 channel, 1 kHz where no rate is set. machine: shaft harmonics
    under changing speed and load, resonances and modulated noise, 2 channels, 16 kHz. sensor: `temperature`
    and `load` over days of 288 samples, read off by a converter of step 1/16, 100 Hz.

    Of several `variants`, number v of V is pitched higher by the factor 2^(v/V): tones, shaft, daily cycle.

    A `step` in the recipe rounds the values to its multiples; 0 leaves them continuous.

    Raises UsageError where the channels asked for do not exist, a recording has no sample, or all together
    would take more than 4 GiB.
    """
    source = _GENERATORS[config.generator]
    rate = config.rate or source.rate
    length = round(config.seconds * rate)
    if length < 1:
        raise UsageError(
            f"data.seconds: {config.seconds:g} s at {rate:g} Hz is less than one sample; set more"
        )
    size = 4 * config.recordings * length * source.channels
    if size > _LARGEST:
        raise UsageError(
            f"data.recordings: {config.recordings} of {config.seconds:g} s would take {size / 2**30:.1f} GiB "
            "of memory, 4 at most; set fewer or shorter ones"
        )
    step = (source.step if config.step == "auto" else config.step) or None
    recordings: list[Recording] = []
    for index in range(config.recordings):
        name, pitch = f"{config.generator}-{index:03d}", 1.0
        if config.variants > 1:
            variant = index % config.variants
            name, pitch = f"{name}-{ascii_lowercase[variant]}", 2.0 ** (variant / config.variants)
        values = source.make(length, rate, pitch, np.random.default_rng([config.seed, index]))
        values, names = _select(values, source.names, config.channels)
        if step is not None:
            values = np.round(values / step) * step
        recordings.append(
            ArrayRecording(
                values.astype(np.float32),
                name=name,
                kind=source.kind,
                rate=rate,
                step=step,
                channel_names=names,
                conditions=name_conditions(name, config),
            )
        )
    return recordings


def _sine(n: int, rate: float, pitch: float, rng: Generator) -> Array:
    tones = np.zeros(n)
    for tone, level in ((0.031, 0.30), (0.087, 0.20), (0.171, 0.10)):
        drift = 1.0 + 0.01 * _slow(n, 2000.0, rng)
        loudness = level * np.exp(0.1 * _slow(n, 1000.0, rng))
        tones += loudness * np.sin(
            2.0 * np.pi * np.cumsum(pitch * tone * drift) + rng.uniform(0.0, 2.0 * np.pi)
        )
    return (tones + 0.02 * rng.standard_normal(n))[None]


def _machine(n: int, rate: float, pitch: float, rng: Generator) -> Array:
    load = 1.0 / (1.0 + np.exp(-1.5 * _slow(n, 0.3 * rate, rng)))
    speed = pitch * min(25.0, rate / 40.0) * (1.0 + 0.02 * _slow(n, rate, rng) - 0.03 * load)
    angle = 2.0 * np.pi * np.cumsum(speed) / rate + rng.uniform(0.0, 2.0 * np.pi)
    shaft = np.zeros(n)
    for order, level in ((1, 0.12), (2, 0.08), (3, 0.05), (5, 0.03), (8, 0.02)):
        shaft += level * np.sin(order * angle + rng.uniform(0.0, 2.0 * np.pi))
    shaft *= 0.5 + load
    # Two resonances of the frame, struck by noise that follows the load and the blades.
    struck = rng.standard_normal(n) * (0.3 + load) * (1.0 + 0.5 * np.sin(4.0 * angle))
    low, high = _resonance(struck, 0.06, 0.97), _resonance(struck, 0.21, 0.95)
    hiss = rng.standard_normal((2, n))
    return np.stack(
        [
            shaft + 0.05 * low + 0.03 * high + 0.004 * hiss[0],
            0.6 * shaft + 0.02 * low + 0.05 * high + 0.004 * hiss[1],
        ]
    )


def _sensor(n: int, rate: float, pitch: float, rng: Generator) -> Array:
    time = np.arange(n) + rng.integers(7 * DAY)
    day, weekday = 2.0 * np.pi * pitch * time / DAY, (time // DAY) % 7 < 5
    load = 30.0 + np.where(weekday, 25.0, 10.0) * np.maximum(0.0, np.sin(day - 1.2)) ** 1.5
    load += 2.0 * _slow(n, 60.0, rng) + 0.6 * rng.standard_normal(n)
    lagged = lfilter([0.05], [1.0, -0.95], load - load[0]) + load[0]
    temperature = 14.0 + 4.0 * np.sin(day) + 0.2 * lagged + 0.5 * _slow(n, 200.0, rng)
    return np.stack([temperature + 0.05 * rng.standard_normal(n), load])


def _slow(n: int, time: float, rng: Generator) -> Array:
    """A stationary random walk that forgets in `time` samples, of variance 1 (n,)."""
    keep = math.exp(-1.0 / max(time, 1e-3))
    steps = math.sqrt(1.0 - keep * keep) * rng.standard_normal(n)
    walk, _ = lfilter([1.0], [1.0, -keep], steps, zi=[keep * rng.standard_normal()])
    return np.asarray(walk)


def _resonance(x: Array, pitch: float, radius: float) -> Array:
    """x through a resonance at `pitch` cycles a sample, of gain about 1 for white noise."""
    poles = [1.0, -2.0 * radius * math.cos(2.0 * math.pi * pitch), radius * radius]
    return np.asarray(lfilter([math.sqrt(1.0 - radius * radius)], poles, x))


def _select(values: Array, names: tuple[str, ...], channels: Channels) -> tuple[Array, tuple[str, ...]]:
    if channels == "all":
        return values, names
    if channels == "mono":
        return values.mean(axis=0, keepdims=True), ()
    wanted: Sequence[int | str] = (0,) if channels == "first" else channels
    index = []
    for channel in wanted:
        if isinstance(channel, str) and channel in names:
            index.append(names.index(channel))
        elif isinstance(channel, int) and channel < len(values):
            index.append(channel)
        else:
            known = ", ".join([*map(str, range(len(values))), *names])
            raise UsageError(f"data.channels: there is no channel {channel!r}; there are {known}")
    return values[index], tuple(names[i] for i in index) if names else ()


_GENERATORS = {
    "sine": _Generator(_sine, "series", 1000.0, None, (), 1),
    "machine": _Generator(_machine, "audio", 16000.0, None, (), 2),
    "sensor": _Generator(_sensor, "series", 100.0, 1.0 / 16.0, ("temperature", "load"), 2),
}
