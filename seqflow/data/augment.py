"""Random changes to training windows, drawn from (seed, index of the window in the endless sequence).

Shapes: arrays (B,); N conditions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..recipe.data import AugmentConfig
from .randomness import Index, addresses, uniform

_GAIN, _POLARITY, _SHIFT, _UNKNOWN, _WHICH, _DITHER = 1, 2, 3, 4, 5, 6


class Changes(NamedTuple):
    """What happens to each window: the factor on its samples, with its sign, and how far its start moves."""

    gain: NDArray[np.float64]
    shift: Index


def changes(config: AugmentConfig | None, seed: int, index: Index) -> Changes:
    """The changes (B,) to the windows with these indices (B,); none for None.

    gain = +-10^(dB/20), dB uniform in gain_db, the sign negative with probability 1/2 under `polarity`; shift
    uniform in -shift .. shift samples.
    """
    gain = np.ones(len(index))
    shift = np.zeros(len(index), np.int64)
    if config is None:
        return Changes(gain, shift)
    if config.gain_db is not None:
        lowest, highest = config.gain_db
        gain = 10.0 ** ((lowest + (highest - lowest) * uniform(seed, _GAIN, index)) / 20.0)
    if config.polarity:
        gain = np.where(uniform(seed, _POLARITY, index) < 0.5, -gain, gain)
    if config.shift:
        choices = 2 * config.shift + 1
        shift = (uniform(seed, _SHIFT, index) * choices).astype(np.int64) - config.shift
    return Changes(gain, shift)


def kept_conditions(fraction: float, count: int, seed: int, index: Index) -> NDArray[np.bool_]:
    """Which of N = `count` conditions the windows with these indices (B,) keep: (B, N).

    A `fraction` of the windows lose some: half of these windows all of them, so that a model learns the
    density without any; the other half a set of conditions drawn evenly from those that are not empty.
    """
    u = uniform(seed, _UNKNOWN, index)
    sets = 1 + (uniform(seed, _WHICH, index) * ((1 << count) - 1)).astype(np.int64)
    lost = np.where(u < 0.5 * fraction, (1 << count) - 1, np.where(u < fraction, sets, 0))
    return np.asarray((lost[:, None] >> np.arange(count) & 1) == 0)


def dither_addresses(seed: int, index: Index) -> Index:
    """Where the dither of the windows with these indices (B,) begins: (B,), see `Dequantize`."""
    return addresses(seed, _DITHER, index)
