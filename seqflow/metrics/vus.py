"""Volume under the surface: ROC and precision-recall areas over ranges, averaged over the width of a buffer.

Definition (Paparrizos et al., "Volume under the surface", VLDB 2022), as the implementation of TSB-AD has it.
T points, P of them anomalous, in E events. For a buffer window w, with h = w // 2, the label of a point is

    y_w(t) = min(1, Σ over events within reach, 1 <= d <= h, of sqrt(1 - d / w)),  d the distance to the
    event,

and 1 inside events. Thresholds are the scores at 250 evenly spaced ranks, 0 to T - 1 rounded down, and
a(t) = 1 where the score reaches the threshold. With A = Σ a, TP = Σ y_w a and Q = TP - Σ inside events of a,

    P' = P + Q / 2,  recall = min(1, TP / P') · share of the ranges that a touches,
    false-positive rate = (A - TP) / (T - P'),  precision = TP / A,

where ranges are events widened by h on both sides, joined where they overlap. ROC area: trapezoids from
(0, 0) to (1, 1); PR area: Σ (recall_k - recall_(k-1)) precision_k. The volume is the mean over w = 0 .. L.

Computed without approximation. Each point has a rank k, that of the first threshold it reaches, and all sums
over a(t) are cumulative sums over k. Since d <= w / 2, one term of y_w is at least sqrt(1/2), so that two or
more are cut to 1: the two nearest events decide. Points are sorted once by the distance of the nearest and of
the second; as h grows, each enters a table of counts (distance, k) once and leaves it once. The sums of two
windows are then a product with that table. Time O(T log T + K L²), memory O(T + K min(L, T)), for K
thresholds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .runs import Bools, Floats, Ints, check_both, check_scores, runs

THRESHOLDS = 250


class Volume(NamedTuple):
    """VUS-ROC and VUS-PR."""

    roc: float
    pr: float


class Areas(NamedTuple):
    """ROC and PR areas over ranges, (L + 1) each: of buffer windows 0 to L."""

    roc: Floats
    pr: Floats


def vus(scores: ArrayLike, labels: ArrayLike, window: int) -> Volume:
    """VUS-ROC and VUS-PR of scores (T) for labels (T), buffer windows 0 to `window` points.

    Only the order of the scores matters. Constant scores have one threshold, which every point reaches: the
    values are those of the definition. Raises ValueError as `check_scores` does, where points of one kind are
    missing, or for a negative window.
    """
    areas = range_areas(scores, labels, window)
    return Volume(float(areas.roc.mean()), float(areas.pr.mean()))


def range_areas(scores: ArrayLike, labels: ArrayLike, window: int) -> Areas:
    """The areas that `vus` averages, one for every buffer window. Raises ValueError as `vus` does."""
    values, marks = check_scores(scores, labels)
    check_both(marks)
    if window < 0:
        raise ValueError(f"window: must be 0 points or more, got {window}")
    ranks = first_ranks(values)
    events = runs(marks)
    buffer = _Buffer(ranks, marks, events, window // 2)
    ranges = _Ranges(ranks, events)
    inside = _cumulative(ranks[marks])
    reached = _cumulative(ranks)
    roc, pr = np.empty(window + 1), np.empty(window + 1)
    for half in range(window // 2 + 1):
        if half:
            buffer.grow()
            ranges.grow()
        touched = ranges.touched()
        for w in (2 * half, 2 * half + 1)[: window - 2 * half + 1]:
            outside = buffer.labelled(w)
            found = inside + outside
            positives = inside[-1] + outside / 2
            recall = np.minimum(found / positives, 1.0) * touched
            false = (reached - found) / (len(ranks) - positives)
            roc[w] = _trapezoids(false, recall)
            pr[w] = np.diff(recall, prepend=0.0) @ (found / reached)
    return Areas(roc, pr)


def first_ranks(scores: Floats) -> Ints:
    """For every point, which of the falling thresholds is the first that it reaches: (T), 0 to K - 1."""
    falling = -np.sort(-scores)
    thresholds = falling[np.linspace(0, len(scores) - 1, THRESHOLDS).astype(np.int64)]
    return np.searchsorted(-thresholds, -scores, side="left")


class _Buffer:
    """Points outside events as the reach of the buffer grows from 0 to `limit`: Σ y_w(t) a(t) at any
    threshold."""

    def __init__(self, ranks: Ints, marks: Bools, events: Ints, limit: int) -> None:
        points = np.flatnonzero(~marks)
        first, second = _distances(points, events)
        near = first <= limit
        self.ranks, self.first, self.second = ranks[points[near]], first[near], second[near]
        self.enter = _by_distance(self.first)
        self.leave = _by_distance(self.second)
        self.single = np.zeros((min(limit, len(ranks)) + 1, THRESHOLDS))
        self.several = np.zeros(THRESHOLDS)
        self.half = 0

    def grow(self) -> None:
        """Reach one point farther: points at that distance enter; those within reach of two events count
        in full."""
        self.half += 1
        new = self.enter.at(self.half)
        if len(new):
            self.single[self.half] = np.bincount(self.ranks[new], minlength=THRESHOLDS)
        full = self.leave.at(self.half)
        np.subtract.at(self.single, (self.first[full], self.ranks[full]), 1.0)
        self.several += np.bincount(self.ranks[full], minlength=THRESHOLDS)

    def labelled(self, window: int) -> Floats:
        """Σ over points outside events of y_w(t) a(t) at every threshold (K), for w = `window` = 2h or 2h
        + 1."""
        reach = min(self.half, len(self.single) - 1)
        weights = np.sqrt(1.0 - np.arange(1, reach + 1) / max(window, 1))
        return np.cumsum(weights @ self.single[1 : reach + 1] + self.several)


class _Ranges:
    """Events widened on both sides, joined where they overlap, with the first rank that touches each."""

    def __init__(self, ranks: Ints, events: Ints) -> None:
        self.ranks = ranks
        self.start, self.last = events[:, 0], events[:, 1] - 1
        # One rank more than all others at the end: an event may end with the series.
        self.first = np.minimum.reduceat(np.append(ranks, THRESHOLDS), events.ravel())[::2]

    def grow(self) -> None:
        """One point more on both sides; what overlaps then is one range from here on."""
        self.start, self.last = self.start - 1, self.last + 1
        edges = np.clip(np.stack([self.start, self.last]), 0, len(self.ranks) - 1)
        first = np.minimum(self.first, self.ranks[edges].min(axis=0))
        heads = np.flatnonzero(np.concatenate([[True], self.last[:-1] < self.start[1:]]))
        self.first = np.minimum.reduceat(first, heads)
        self.start, self.last = self.start[heads], self.last[np.append(heads[1:], len(first)) - 1]

    def touched(self) -> Floats:
        """Share of the ranges with a point that reaches the threshold, at every threshold (K)."""
        return _cumulative(self.first) / len(self.first)


class _ByDistance(NamedTuple):
    """Indices of points in the order of their distances."""

    order: Ints
    distance: Ints

    def at(self, distance: int) -> Ints:
        """Indices of the points at exactly this distance."""
        low, high = np.searchsorted(self.distance, [distance, distance + 1])
        return self.order[low:high]


def _by_distance(distance: Ints) -> _ByDistance:
    order = np.argsort(distance, kind="stable")
    return _ByDistance(order, distance[order])


def _distances(points: Ints, events: Ints) -> tuple[Ints, Ints]:
    """Distance of every point outside events to the nearest event and to the second nearest."""
    far = np.iinfo(np.int64).max // 4
    starts = np.concatenate([events[:, 0], [far, far]])
    lasts = np.concatenate([[-far, -far], events[:, 1] - 1])
    after = np.searchsorted(events[:, 0], points)
    left, left2 = points - lasts[after + 1], points - lasts[after]
    right, right2 = starts[after] - points, starts[after + 1] - points
    second = np.minimum(np.maximum(left, right), np.minimum(left2, right2))
    return np.minimum(left, right), second


def _cumulative(ranks: Ints) -> Floats:
    """How many of the points reach each of the K thresholds."""
    return np.cumsum(np.bincount(ranks, minlength=THRESHOLDS)).astype(np.float64)


def _trapezoids(x: Floats, y: Floats) -> float:
    """Area under the line from (0, 0) through the points to (1, 1)."""
    x, y = np.concatenate([[0.0], x, [1.0]]), np.concatenate([[0.0], y, [1.0]])
    return float(np.diff(x) @ (y[1:] + y[:-1]) / 2)
