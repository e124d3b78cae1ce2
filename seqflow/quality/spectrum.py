"""Distance of two sets of sequences in their spectra.

Levels are in dB, (N, ...) for N sequences; see `octaves` and `filter_bank`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def level_difference(levels: Array, reference: Array) -> Array:
    """Mean over the sequences (and frames) of the levels, minus that of the reference, dB: (K,)."""
    return _mean(levels) - _mean(reference)


def spectral_distance(levels: Array, reference: Array) -> float:
    """Log-spectral distance of the means, dB: the root over K bands of the mean (L_k - R_k)².

    L_k and R_k are the mean levels of the two sets in band k.
    """
    return float(np.sqrt(np.square(level_difference(levels, reference)).mean()))


def spectral_spread_distance(levels: Array, reference: Array) -> float:
    """Mean over the bands of the 1-Wasserstein distance between the distributions of levels, dB.

    All sequences and frames of a band make its distribution: a set with the right mean levels but always
    equally loud is far from one that changes.
    """
    mine, other = _pooled(levels), _pooled(reference)
    distances = [scipy.stats.wasserstein_distance(a, b) for a, b in zip(mine, other, strict=True)]
    return float(np.mean(distances))


def _mean(levels: Array) -> Array:
    return np.asarray(_pooled(levels).mean(axis=1), np.float64)


def _pooled(levels: Array) -> Array:
    """(K, N·F)"""
    moved = np.moveaxis(np.asarray(levels, np.float64), 1, 0)
    return moved.reshape(len(moved), -1)
