"""The quantisation step of measured values: the greatest lattice that they lie on.

A model of densities could buy any likelihood on values that come from few levels; noise of one step keeps it
honest, and the step turns nats into bits. See bijections/dequantize.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Beyond, float32 holds no noise on top of the value: the values are as good as continuous.
MOST_LEVELS = 1 << 22
# What sums and products in float64 leave behind, relative to the value; and one rounding to float32.
_EXACT, _SINGLE = 1e-12, 1.2e-7
# A value may lie this far from its lattice point, in steps. Larger errors could hide another lattice.
_MOST_ERROR = 0.05
# Of a long recording the step is sought in so many samples of every channel.
SAMPLES = 1 << 17
_BLOCKS = 16
# Fewer levels than this cannot tell a lattice of any step from chance.
_FEWEST_LEVELS = 8


def common_step(channels: Iterable[Floats]) -> float | None:
    """One step for all channels, arrays (n,) each: the greatest whose multiples hold the values of all.

    Where the lattices of the channels have no common one, the smallest of their steps. Channels that are
    constant have no say. None where no channel varies, or where the values of any channel look continuous.
    """
    steps = set()
    for channel in channels:
        finite = channel[np.isfinite(channel)]
        if not len(finite) or (finite == finite[0]).all():
            continue
        step = lattice_step(finite)
        if step is None:
            return None
        steps.add(step)
    if len(steps) < 2:
        return steps.pop() if steps else None
    return lattice_step(np.array(sorted(steps))) or min(steps)


def lattice_step(values: Floats) -> float | None:
    """The greatest s with values = k·s, k whole numbers; None where none is found or all values are 0.

    Decimals first: s = g·10^-d, the fewest decimals d that write all values, and g the greatest common
    divisor of what is written. Else the step is taken from the smallest distance of two values and refined
    on ever larger ones, as for the codes of a converter times a scale. Rounding to float64 is forgiven, and
    rounding to float32 where all values are float32 numbers. A lattice must explain the values by at most
    2^22 levels, and so well that chance would not.
    """
    magnitudes = np.unique(np.abs(values.astype(np.float64)))
    magnitudes = magnitudes[(magnitudes > 0) & np.isfinite(magnitudes)]
    if not len(magnitudes):
        return None
    with np.errstate(over="ignore", under="ignore"):
        single = bool((magnitudes == magnitudes.astype(np.float32)).all())
    for error in (_EXACT, _SINGLE) if single else (_EXACT,):
        step = _decimal(magnitudes, error) or _scaled(magnitudes, error)
        if step is not None:
            return step
    return None


def sample_blocks(length: int) -> list[tuple[int, int]]:
    """Start and length of evenly spaced blocks, together at most SAMPLES; all of a short recording."""
    if length <= SAMPLES:
        return [(0, length)]
    frames = SAMPLES // _BLOCKS
    return [(round(i * (length - frames) / (_BLOCKS - 1)), frames) for i in range(_BLOCKS)]


def sampled(column: Floats) -> Floats:
    """The samples of a column (n,) that `sample_blocks` chooses."""
    return np.concatenate([column[start : start + frames] for start, frames in sample_blocks(len(column))])


def _decimal(magnitudes: Floats, error: float) -> float | None:
    for decimals in range(23):  # 10^22 is the last power of ten that float64 holds
        scaled = magnitudes * 10.0**decimals
        if scaled[-1] * error > _MOST_ERROR:
            return None
        codes = np.rint(scaled)
        tolerance = np.maximum(scaled * error, 1e-9)
        # All codes 0: the values are only too small for so few decimals.
        if codes[-1] and (np.abs(scaled - codes) <= tolerance).all() and _unlikely(tolerance):
            divisor = int(np.gcd.reduce(codes.astype(np.int64)))
            return divisor / 10.0**decimals if codes[-1] <= MOST_LEVELS * divisor else None
    return None


def _scaled(magnitudes: Floats, error: float) -> float | None:
    if len(magnitudes) < _FEWEST_LEVELS:
        return None
    gap = float(np.diff(magnitudes, prepend=0.0).min())
    for parts in (1, 2, 3):
        step = gap / parts
        if magnitudes[-1] > MOST_LEVELS * step or magnitudes[-1] * error > _MOST_ERROR * step:
            return None
        # The step is known to some digits only: whole numbers of steps are certain for small values first.
        reach = 32.0
        while True:
            near = magnitudes[: np.searchsorted(magnitudes, reach * step, side="right")]
            codes = np.rint(near / step)
            if len(near):
                step = float(codes @ near / (codes @ codes))
            if len(near) == len(magnitudes):
                break
            reach *= 8.0
        scaled = magnitudes / step
        codes = np.rint(scaled)
        tolerance = np.maximum(4.0 * scaled * error, 1e-9)
        if (np.abs(scaled - codes) <= tolerance).all() and _unlikely(tolerance):
            return step * int(np.gcd.reduce(codes.astype(np.int64)))
    return None


def _unlikely(tolerance: Floats) -> bool:
    """Whether values without a lattice would hardly all come this close to one."""
    return float(np.log(np.minimum(2.0 * tolerance, 1.0)).sum()) < math.log(1e-3)
