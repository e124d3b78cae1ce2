"""What an area under the ROC curve would be with other recordings: bootstrap over recordings, seeded.

An anomalous recording may be a changed copy of a normal one: both are then drawn together or not at
all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .runs import Floats

_BLOCK = 1 << 22


def roc_area_draws(
    normal: ArrayLike, anomalous: ArrayLike, source: ArrayLike, *, draws: int = 2_000, seed: int = 0
) -> Floats:
    """Areas (draws,) under the ROC curve of resampled recordings, each as `roc_area` has it.

    Args:
        normal: scores (N,) of normal recordings, the units that are resampled.
        anomalous: scores (M,) of changed copies.
        source: (M,) index of the normal recording that each is a copy of.
        draws, seed: how many, and from which random numbers; equal seeds and N resample alike.

    NaN where a draw holds no copy. Raises ValueError for arrays of other shapes, fewer than 2 normal
    recordings, scores that are NaN, or indices out of range.
    """
    clean, changed = np.asarray(normal, dtype=np.float64), np.asarray(anomalous, dtype=np.float64)
    owner = np.asarray(source, dtype=np.int64)
    n = len(clean)
    if clean.ndim != 1 or changed.ndim != 1 or owner.shape != changed.shape:
        raise ValueError(
            f"normal, anomalous and source: must be (N,), (M,) and (M,), got {clean.shape}, {changed.shape} "
            f"and {owner.shape}"
        )
    if n < 2:
        raise ValueError(f"normal: must hold 2 recordings or more, got {n}")
    if np.isnan(clean).any() or np.isnan(changed).any():
        raise ValueError("normal and anomalous: must not hold NaN")
    if len(owner) and not (owner.min() >= 0 and owner.max() < n):
        raise ValueError(f"source: must lie in 0 .. {n - 1}")
    order = np.argsort(clean, kind="stable")
    below = np.searchsorted(clean[order], changed, side="left")
    upto = np.searchsorted(clean[order], changed, side="right")
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // (n + 1))
    areas = []
    for start in range(0, draws, rows):
        # How often each recording is drawn; blocks go on with the same random numbers, whatever their size.
        times = rng.multinomial(n, np.full(n, 1.0 / n), size=min(rows, draws - start))
        ranked = np.concatenate([np.zeros((len(times), 1)), times[:, order].cumsum(axis=1)], axis=1)
        weights = times[:, owner]
        won = (weights * 0.5 * (ranked[:, below] + ranked[:, upto])).sum(axis=1)
        total = weights.sum(axis=1) * float(n)
        areas.append(np.divide(won, total, out=np.full(len(times), np.nan), where=total > 0.0))
    return np.concatenate(areas)
