"""Made-up faults put into a recording, to see whether a model finds them.

Shapes: values (C, T). A fault strikes all channels. Levels are in units of the standard deviation of each
channel, times `strength`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import UsageError

Array = NDArray[np.float64]
Fault = Callable[[Array, Array, Generator, float], Array]
"""(stretch (C, n), level (C, 1), rng, rate in Hz) -> the stretch with the fault."""


def inject(
    values: NDArray[np.floating],
    fault: str,
    rng: Generator,
    *,
    rate: float | None = None,
    strength: float = 1.0,
    step: float | None = None,
) -> tuple[NDArray[np.floating], tuple[int, int]]:
    """A copy of values (C, T) with one fault at a random place, and where: samples start .. end - 1.

    Args:
        values: the recording; needs at least 16 samples.
        fault: a key of FAULTS.
        rng: place, length and shape of the fault are drawn from it.
        rate: Hz, sets the pace of `bearing`; None: one impulse every 64 samples.
        strength: factor on the level of the fault.
        step: round the faulty stretch to multiples of this, as the converter of the recording does.

    Raises UsageError for an unknown fault or fewer than 16 samples.
    """
    if fault not in FAULTS:
        raise UsageError(f"there is no fault {fault!r}; there are {', '.join(FAULTS)}")
    length = values.shape[-1]
    if length < 16:
        raise UsageError(f"a fault needs a recording of at least 16 samples, got {length}")
    start, end = _place(fault, length, rng)
    level = strength * values.astype(np.float64).std(axis=-1, keepdims=True)
    stretch = FAULTS[fault](values[:, start:end].astype(np.float64), level, rng, rate or 6400.0)
    if step:
        stretch = np.round(stretch / step) * step
    faulty = values.copy()
    faulty[:, start:end] = stretch
    return faulty, (start, end)


def _place(fault: str, length: int, rng: Generator) -> tuple[int, int]:
    """1/20 to 1/5 of the recording; a few samples for impulses, up to the end for lasting faults."""
    if fault == "spike":
        n = 1
    elif fault == "click":
        n = min(48, length // 8)
    else:
        n = int(rng.integers(max(2, length // 20), max(3, length // 5)))
    start = int(rng.integers(length // 10, length - n - length // 20))
    return start, (length if fault in ("drift", "level_shift") else start + n)


def _silence(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return np.zeros_like(x)


def _dropout(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return np.asarray(np.repeat(x[:, :1], x.shape[1], axis=1))


def _clipping(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    centre = np.median(x, axis=1, keepdims=True)
    limit = 0.5 * x.std(axis=1, keepdims=True)
    return np.asarray(np.clip(x, centre - limit, centre + limit))


def _tone(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    pitch, phase = rng.uniform(0.03, 0.45), rng.uniform(0.0, 2.0 * np.pi)
    return np.asarray(x + level * np.sin(2.0 * np.pi * pitch * np.arange(x.shape[1]) + phase))


def _noise(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return np.asarray(x + level * rng.standard_normal(x.shape))


def sign(rng: Generator) -> float:
    """1 or -1."""
    return 1.0 if rng.random() < 0.5 else -1.0


def ringing(n: int, rng: Generator) -> Array:
    """An impulse that rings and dies away (n,)."""
    time = np.arange(n)
    return np.asarray(np.exp(-time / 8.0) * np.cos(2.0 * np.pi * rng.uniform(0.15, 0.4) * time))


def _click(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return x + 5.0 * level * sign(rng) * ringing(x.shape[1], rng)


def strikes(n: int, gap: float, rng: Generator) -> Array:
    """Ones (n,) about `gap` samples apart, from the first sample on, zeros between.

    As of a rolling element over a crack: near-periodic, since it slips by a percent or two.
    """
    gaps = gap * (1.0 + 0.02 * rng.standard_normal(int(n / gap) + 2))
    at = (np.cumsum(gaps) - gaps[0]).astype(np.int64)
    train = np.zeros(n)
    train[at[(at >= 0) & (at < n)]] = 1.0
    return train


def _bearing(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    n = x.shape[1]
    train = strikes(n, max(2.0, rate / 100.0), rng)
    return x + 3.0 * level * np.convolve(train, ringing(64, rng))[:n]


def _drift(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return x + 3.0 * level * sign(rng) * np.linspace(0.0, 1.0, x.shape[1])


def _level_shift(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return x + 3.0 * level * sign(rng)


def _spike(x: Array, level: Array, rng: Generator, rate: float) -> Array:
    return x + 8.0 * level * sign(rng)


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "silence": _silence,
        "dropout": _dropout,
        "clipping": _clipping,
        "tone": _tone,
        "noise": _noise,
        "click": _click,
        "bearing": _bearing,
        "drift": _drift,
        "level_shift": _level_shift,
        "spike": _spike,
    }
)
"""Faults by name. silence: zeros. dropout: the last value is held. clipping: cut at half a deviation
(strength has no effect on these). tone, noise: added. click: one ringing impulse. bearing: a train of them.
drift, level_shift: until the end of the recording. spike: one sample."""
