"""Intervals of means over series: percentile bootstrap, seeded.

Series are what varies, not their points: neighbouring points are no new evidence, and neither are several
series with the same labels. Those are made one unit by `groups`: the mean over series of a group counts once.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .runs import Floats

# Draws are made in blocks of about this many counts.
_BLOCK = 1 << 22


class Interval(NamedTuple):
    """A mean, the ends of its interval, and how many units were resampled."""

    mean: float
    low: float
    high: float
    units: int


def bootstrap_mean(
    values: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of values (N), one a series, with the percentile interval of means of resampled series.

    With `groups` (N), the group of each series, groups are the units: the mean over groups of their means.
    Raises ValueError for values that are not finite or not one-dimensional, groups of another length, fewer
    than 2 units, a level outside (0, 1), or no draws.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1:
        raise ValueError(f"values: must be one-dimensional, one a series, got {data.ndim} axes")
    if not np.isfinite(data).all():
        raise ValueError(f"values: {int((~np.isfinite(data)).sum())} of {len(data)} are not finite")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: must lie between 0 and 1, got {level:g}")
    if draws < 1:
        raise ValueError(f"draws: must be 1 or more, got {draws}")
    units = data if groups is None else _group_means(data, groups)
    n = len(units)
    if n < 2:
        raise ValueError(f"values: an interval needs 2 units or more, got {n}")
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    # How often each unit is drawn; the blocks go on with the same random numbers, whatever their size.
    blocks = [
        rng.multinomial(n, np.full(n, 1.0 / n), size=min(rows, draws - start)) @ units / n
        for start in range(0, draws, rows)
    ]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(np.concatenate(blocks), [tail, 1.0 - tail])
    return Interval(float(units.mean()), float(low), float(high), n)


def paired_bootstrap(
    first: ArrayLike,
    second: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of first - second, two methods on the same series (N) in the same order: see `bootstrap_mean`.

    Paired, since series differ far more from each other than methods do. An interval without 0 is a
    difference that other series of the same kind should show as well. Raises ValueError as `bootstrap_mean`
    does, and for different lengths.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape:
        raise ValueError(
            f"first and second: must hold the same series, got shapes {one.shape} and {two.shape}"
        )
    return bootstrap_mean(one - two, groups=groups, level=level, draws=draws, seed=seed)


def _group_means(data: Floats, groups: Sequence[Hashable]) -> Floats:
    if len(groups) != len(data):
        raise ValueError(f"groups: must have one entry a series, {len(data)}, got {len(groups)}")
    places: dict[Hashable, int] = {}
    index = np.array([places.setdefault(group, len(places)) for group in groups], dtype=np.int64)
    means: Floats = np.bincount(index, weights=data) / np.bincount(index)
    return means
