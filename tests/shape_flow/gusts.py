"""Noise that a mixture of a few Gaussians cannot hold."""

from __future__ import annotations

import numpy as np


def gusts(samples: int, seed: int = 0) -> np.ndarray:
    """Noise whose loudness follows the sample before: no mixture of few Gaussians knows of it."""
    rng = np.random.default_rng(seed)
    x = np.zeros(samples)
    for t in range(1, samples):
        x[t] = (0.2 + 0.9 * abs(x[t - 1])) * rng.standard_normal()
    return np.asarray(np.clip(x, -8.0, 8.0) / 0.5)
