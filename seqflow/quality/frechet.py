"""Fréchet distance: two sets of features as Gaussians."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def frechet_distance(features: Array, reference: Array) -> float:
    """Fréchet distance of the Gaussians fitted to features (N, D) and (M, D), units² of the features.

    d² = |μ - ν|² + tr(S + R - 2·(S·R)^½), means μ, ν and covariances S, R. The estimate is too high, about
    as D²/N: it compares only with others of the same D and N, and with what real data have against real.

    Raises ValueError for fewer than two rows.
    """
    if min(len(features), len(reference)) < 2:
        raise ValueError("a Fréchet distance needs two rows of each set, or more")
    a, b = np.asarray(features, np.float64), np.asarray(reference, np.float64)
    shift = float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum())
    one, other = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    # The root of the product has the trace of the root of S^½·R·S^½, which is symmetric also when singular.
    values, vectors = scipy.linalg.eigh(one)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(scipy.linalg.eigvalsh(root @ other @ root), 0.0)).sum()
    return max(0.0, shift + float(np.trace(one) + np.trace(other) - 2.0 * cross))


def spectral_statistics(levels: Array) -> Array:
    """Features (N, 2·M) of log spectrograms (N, M, F): mean and deviation over the frames, dB."""
    wide = np.asarray(levels, np.float64)
    return np.concatenate([wide.mean(axis=-1), wide.std(axis=-1)], axis=1)
