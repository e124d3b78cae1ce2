"""How loud sequences are, and how their samples are distributed.

Shapes: sequences (N, C, T).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

PERCENTILES = (10.0, 50.0, 90.0)


@dataclass(frozen=True)
class Distribution:
    """Percentiles 10, 50 and 90 of some values, and their mean."""

    p10: float
    p50: float
    p90: float
    mean: float

    @classmethod
    def of(cls, values: Array) -> Distribution:
        """Of values (N,)."""
        low, middle, high = np.percentile(values, PERCENTILES)
        return cls(float(low), float(middle), float(high), float(np.mean(values)))


def rms(x: Array) -> Array:
    """Root mean square of each sequence over channels and time, units of x: (N,)."""
    square = [np.square(np.asarray(one, np.float64)).mean() for one in x]
    return np.asarray(np.sqrt(square))


def relative_wasserstein(values: Array, reference: Array) -> float:
    """1-Wasserstein distance of two sets of positive values, as a fraction of the reference's mean.

    W₁ = ∫ |F(v) - G(v)| dv. Zero for equal distributions; |k - 1| where the values are k times the reference.
    Zero too where all of both are 0; infinite where only the reference is.
    """
    distance = float(scipy.stats.wasserstein_distance(values, reference))
    return _relative(distance, float(np.mean(reference)))


def amplitude_wasserstein(x: Array, reference: Array) -> float:
    """1-Wasserstein distance of the samples of two sets, as a fraction of the reference's deviation.

    The samples of a channel are pooled; the mean is taken over channels.
    """
    distances = []
    for channel in range(x.shape[1]):
        mine, other = (np.asarray(one[:, channel], np.float64).ravel() for one in (x, reference))
        distance = float(scipy.stats.wasserstein_distance(mine, other))
        distances.append(_relative(distance, float(other.std())))
    return float(np.mean(distances))


def kurtosis(x: Array) -> float:
    """Excess kurtosis E[(x - μ)⁴]/σ⁴ - 3 of the pooled samples of a channel, the mean over channels.

    0 for Gaussian noise, 3 for Laplacian; 0 for a channel that holds one value.
    """
    pooled = np.moveaxis(np.asarray(x, np.float64), 1, 0).reshape(x.shape[1], -1)
    spread = pooled.max(axis=1) > pooled.min(axis=1)
    values = [
        float(scipy.stats.kurtosis(one)) if moves else 0.0 for one, moves in zip(pooled, spread, strict=True)
    ]
    return float(np.mean(values))


def share_beyond(x: Array, low: Array, high: Array) -> float:
    """Share of sequences with a sample below `low` or above `high`, (C,) each."""
    outside = (x < np.asarray(low)[:, None]) | (x > np.asarray(high)[:, None])
    return float(outside.any(axis=(1, 2)).mean())


def _relative(distance: float, scale: float) -> float:
    if distance == 0.0:
        return 0.0
    return distance / scale if scale > 0.0 else float("inf")
