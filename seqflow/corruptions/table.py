"""The named corruptions with their strengths, and one way to apply them.

Shapes: values (C, T) in the units of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import added, altered

Array = NDArray[np.float64]
Change = Callable[[Array, float, Generator], Array]
"""(x (C, T), rate in Hz or 1 without a clock, rng) -> the corrupted x (C, T)."""

SHORTEST = 16
"""Samples that a recording needs."""


@dataclass(frozen=True)
class Corruption:
    """A change to recordings. `strength` says in words how much of it: relative to the recording."""

    strength: str
    change: Change


CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        "silence": Corruption("all samples 0", altered.silence),
        "attenuation": Corruption("20 dB quieter", altered.attenuation),
        "clipping": Corruption("cut 12 dB below the peak", altered.clipping),
        "tone": Corruption("SNR 10 dB, 0.03 to 0.45 of the rate", added.tone),
        "noise": Corruption("SNR 10 dB, white", added.noise),
        "hum": Corruption("SNR 10 dB, 50 Hz or rate/160 and 4 harmonics", added.hum),
        "low_pass": Corruption("edge at rate/8", altered.low_pass),
        "dropout": Corruption("10% of the length 0, in 5 gaps", altered.dropout),
        "click": Corruption("1 of 48 samples, peak 10 deviations", added.click),
        "sample_hold": Corruption("every 4th sample held", altered.sample_hold),
        "time_reversal": Corruption("the whole", altered.time_reversal),
        "pitch_shift": Corruption("4 semitones lower and slower", altered.pitch_shift),
        "transient": Corruption("SNR 10 dB, a burst over 5% of the length", added.transient),
        "bearing": Corruption("SNR 10 dB, impulses at rate/80", added.bearing),
        "drift": Corruption("to 2 deviations at the end", added.drift),
    }
)


def corrupt(
    values: NDArray[np.floating[Any]],
    name: str,
    rng: Generator,
    *,
    rate: float | None = None,
    step: float | None = None,
    full_scale: bool = False,
) -> NDArray[np.floating[Any]]:
    """A corrupted copy of values (C, T), of the same shape and dtype; the same for the same state of rng.

    Args:
        values: a whole recording, finite, of SHORTEST samples or more.
        name: a key of CORRUPTIONS.
        rng: places, phases and noise are drawn from it.
        rate: Hz; None without a clock, and frequencies are relative to 1.
        step: the result is put on the lattice of this step that the values lie on.
        full_scale: keep the result within full scale, -1 to 1 (with a step: to 1 - step), or within the range
            of the values where they go beyond.

    Raises KeyError for an unknown name, ValueError for values of another shape, too short or not finite.
    """
    change = CORRUPTIONS[name].change
    if values.ndim != 2 or values.shape[1] < SHORTEST:
        raise ValueError(f"values: must be (C, T) with T of {SHORTEST} or more, got shape {values.shape}")
    x = values.astype(np.float64)
    if not np.isfinite(x).all():
        raise ValueError("values: must be finite")
    y = change(x, rate or 1.0, rng)
    if step:
        # Lattices of sensors need not hold 0.
        origin = x[:, :1] - np.round(x[:, :1] / step) * step
        y = origin + np.round((y - origin) / step) * step
    if full_scale:
        y = np.clip(y, min(-1.0, x.min()), max(1.0 - (step or 0.0), x.max()))
    return np.asarray(y.astype(values.dtype))
