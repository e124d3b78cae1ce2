"""Whether sequences made of pieces show where the pieces meet.

Shapes: sequences (n, C, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from .gaussian import prediction_errors

_ORDER = 16
_NEAR, _AROUND = 4, 64


class JoinExcess(NamedTuple):
    """Figures of the joins relative to those of all other places; 1 where nothing is to be seen.

    Attributes:
        step: largest change from a sample to the next at a join, beside the 0.99 quantile of what places
            elsewhere have as their largest, in units of the deviation of the changes around.
        energy: energy of the residual of linear prediction near a join relative to that around it, mean over
            joins, beside the mean elsewhere.
    """

    step: float
    energy: float


def join_excess(x: NDArray[np.floating], joins: Sequence[int]) -> JoinExcess:
    """Compare the places x[..., j - 1], x[..., j] for j in `joins` with all others, within 4 samples.

    The surroundings are 64 samples on either side, so that loud and quiet places count alike. The residual is
    that of a linear prediction of 16 taps fitted to each sequence. Raises ValueError where no join has its
    surroundings.
    """
    values = np.asarray(x, dtype=np.float64)
    length = values.shape[-1]
    places = np.array([j for j in joins if _AROUND <= j < length - _AROUND])
    if values.ndim != 3 or not len(places):
        raise ValueError("join_excess needs sequences (n, C, T) and joins 64 samples from their ends")
    inside = np.zeros(length, dtype=bool)
    inside[_AROUND : length - _AROUND] = True
    far = inside.copy()
    for j in places:
        far[max(0, j - _AROUND) : j + _AROUND] = False
    if not far.any():
        far = inside
    change = np.diff(values, axis=-1, prepend=values[..., :1])
    jump = maximum_filter1d(np.abs(change) / np.sqrt(_around(change)), 2 * _NEAR, axis=-1)
    residual = prediction_errors(values, _ORDER)
    energy = uniform_filter1d(residual**2, 2 * _NEAR, axis=-1) / _around(residual)
    return JoinExcess(
        float(jump[..., places].max() / np.quantile(jump[..., far], 0.99)),
        float(energy[..., places].mean() / energy[..., far].mean()),
    )


def _around(x: NDArray[np.float64]) -> NDArray[np.float64]:
    power: NDArray[np.float64] = uniform_filter1d(x**2, 2 * _AROUND, axis=-1)
    return np.asarray(np.maximum(power, 1e-30 + 1e-12 * x.var()))
