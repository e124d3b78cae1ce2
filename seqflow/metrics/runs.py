"""Scores and labels that can be judged, and the runs of points that make an event."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def runs(marks: ArrayLike) -> Ints:
    """Runs of true points in marks (T), in order: (E, 2), the first point of each and the one after its
    last."""
    edges = np.diff(np.asarray(marks, dtype=bool).astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1).astype(np.int64)


def check_scores(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Bools]:
    """Scores (T) as float64 and labels (T) as booleans, one an anomalous point.

    Raises ValueError where they are not one-dimensional, of different lengths or empty, where a score is not
    finite, or a label neither 0 nor 1.
    """
    values = np.asarray(scores, dtype=np.float64)
    marks: NDArray[Any] = np.asarray(labels)
    if values.ndim != 1 or marks.ndim != 1:
        raise ValueError(
            f"scores and labels: must be one-dimensional, got {values.ndim} and {marks.ndim} axes"
        )
    if len(values) != len(marks):
        raise ValueError(
            f"scores and labels: must be equally long, got {len(values)} and {len(marks)} points"
        )
    if not len(values):
        raise ValueError("scores: no point at all")
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"scores: {len(bad)} of {len(values)} are not finite, the first at point {bad[0]}")
    if not np.isin(marks, (0, 1)).all():
        raise ValueError("labels: must be 0 (normal) or 1 (anomalous)")
    return values, marks.astype(bool)


def check_both(labels: Bools) -> None:
    """Raise ValueError where points of only one kind are there: nothing can be told apart."""
    if not labels.any():
        raise ValueError("labels: no anomalous point")
    if labels.all():
        raise ValueError("labels: every point is anomalous")
