"""Alarms as an operator meets them: which events are found and how late, and how many alarms were for
nothing.

A point is in alarm where its score reaches the threshold. Points in alarm do not count singly: one alarm
lasts `hold` seconds, and the number of alarms is the least number of stretches of that length which cover all
points in alarm. Bursts close together are thus one alarm; an alarm that never ends is raised again every
`hold` (as one run it would count once, and a detector that is always on would look good); and the number can
only grow as the threshold falls, so that there is a lowest threshold for every rate of false alarms.

False alarms are those of the points outside events. `slack` seconds on both sides of an event belong to it:
an alarm there finds the event and is not false.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .runs import Bools, Floats, Ints, check_scores, runs


@dataclass(frozen=True)
class Detection:
    """What a threshold finds among E events of one recording.

    Attributes:
        threshold: points with this score or more are in alarm; infinite where no score may be, NaN where
            the alarms were given.
        delays: (E) seconds from the start of the event to its first point in alarm, negative by up to the
            slack where that is before it; NaN where the event is missed.
        widths: (E) seconds of each event, its slack included.
        false_alarms: alarms outside events, see the module.
        hours: time outside events.
    """

    threshold: float
    delays: Floats
    widths: Floats
    false_alarms: int
    hours: float

    @property
    def found(self) -> Bools:
        """(E), which events are found."""
        found: Bools = np.isfinite(self.delays)
        return found

    @property
    def recall(self) -> float:
        """Share of the events that are found; NaN without any."""
        return float(self.found.mean()) if len(self.delays) else math.nan

    @property
    def rate(self) -> float:
        """False alarms per hour outside events."""
        return self.false_alarms / self.hours

    @property
    def chance(self) -> float:
        """Recall of as many alarms at random times, mean over events of 1 - exp(-rate · width); NaN without
        any.

        Long events are found by chance: a recall says something where it lies above this.
        """
        if not len(self.widths):
            return math.nan
        return float(-np.expm1(-self.rate * self.widths / 3600.0).mean())


def detect(
    scores: ArrayLike, labels: ArrayLike, threshold: float, *, rate: float, hold: float, slack: float = 0.0
) -> Detection:
    """Events found and false alarms of a given threshold; `hold` and `slack` in seconds, `rate` in Hz.

    `rate` 1 makes every second a point, for series without a time base. Raises ValueError as `check_scores`
    does, for times that make no sense, or where no point lies outside events; no event at all is fine.
    """
    if math.isnan(threshold):
        raise ValueError("threshold: must be a number, got nan")
    return _Judge(scores, labels, rate, hold, slack).at(threshold)


def detect_at_rate(
    scores: ArrayLike, labels: ArrayLike, per_hour: float, *, rate: float, hold: float, slack: float = 0.0
) -> Detection:
    """Events found at the lowest threshold with at most `per_hour` false alarms an hour.

    That threshold is chosen knowing the labels: a point of a curve by which scores are compared, not what can
    be promised. Where even the highest score has too many, the threshold is infinite and nothing is found.
    Raises ValueError as `detect` does, and where there is no event, or for a negative rate.
    """
    if not (math.isfinite(per_hour) and per_hour >= 0):
        raise ValueError(f"per_hour: must be 0 or more false alarms, got {per_hour:g}")
    judge = _Judge(scores, labels, rate, hold, slack)
    if not len(judge.events):
        raise ValueError("labels: no anomalous point")
    # A hair of tolerance: a product that is whole but for rounding is meant to be whole.
    limit = math.floor(min(per_hour * judge.hours * (1.0 + 1e-9), len(judge.normal)))
    levels = np.unique(judge.scores)
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if judge.false_alarms(float(levels[middle]), limit) <= limit:
            high = middle
        else:
            low = middle + 1
    return judge.at(float(levels[low]) if low < len(levels) else math.inf)


def match_alarms(alarms: ArrayLike, labels: ArrayLike, *, rate: float, slack: float = 0.0) -> Detection:
    """Events found by alarms that are given, (N, 2) points each: its first and the one after its last.

    Each alarm counts once, however long it lasts, and is false where it lies outside all events and their
    slack as a whole. The threshold is NaN. Raises ValueError as `detect` does, and for other alarms.
    """
    given = np.asarray(alarms, dtype=np.int64).reshape(-1, 2)
    judge = _Judge(np.zeros(len(np.asarray(labels))), labels, rate, 0.0, slack)
    length = len(judge.scores)
    if len(given) and not ((given[:, 0] < given[:, 1]).all() and given.min() >= 0 and given.max() <= length):
        raise ValueError(f"alarms: must be ranges of points below {length}, none of them empty")
    touches = (given[:, :1] < judge.zones[:, 1]) & (given[:, 1:] > judge.zones[:, 0])
    first = np.where(touches, np.maximum(given[:, :1], judge.zones[:, 0]), length).min(axis=0, initial=length)
    delays = np.where(touches.any(axis=0), (first - judge.events[:, 0]) / rate, np.nan)
    false = int((~touches.any(axis=1)).sum())
    return Detection(math.nan, delays, judge.widths, false, judge.hours)


def count_alarms(points: Ints, hold: int, limit: int | None = None) -> int:
    """Least number of stretches of `hold` samples that cover all of `points`, rising indices (N).

    Greedy, which is best on a line. Stops counting above `limit`.
    """
    if hold <= 1:
        return len(points)
    count, place = 0, 0
    while place < len(points) and (limit is None or count <= limit):
        place += int(np.searchsorted(points[place : place + hold], points[place] + hold))
        count += 1
    return count


class _Judge:
    """Scores with their events; times turned into samples."""

    def __init__(self, scores: ArrayLike, labels: ArrayLike, rate: float, hold: float, slack: float) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"rate: must be positive (Hz), got {rate:g}")
        for name, seconds in (("hold", hold), ("slack", slack)):
            if not (math.isfinite(seconds) and seconds >= 0):
                raise ValueError(f"{name}: must be 0 seconds or more, got {seconds:g}")
        self.scores, marks = check_scores(scores, labels)
        self.sample_rate = rate
        self.hold = max(1, round(hold * rate))
        self.events = runs(marks)
        margin = round(slack * rate)
        self.zones = np.clip(self.events + np.array([-margin, margin]), 0, len(marks))
        inside = np.zeros(len(marks) + 1, dtype=np.int64)
        np.add.at(inside, self.zones[:, 0], 1)
        np.subtract.at(inside, self.zones[:, 1], 1)
        self.normal = np.flatnonzero(np.cumsum(inside[:-1]) == 0)
        if not len(self.normal):
            raise ValueError("labels: no point outside events and their slack; false alarms have no rate")
        self.hours = len(self.normal) / rate / 3600.0
        self.widths = (self.zones[:, 1] - self.zones[:, 0]) / rate

    def false_alarms(self, threshold: float, limit: int | None = None) -> int:
        return count_alarms(self.normal[self.scores[self.normal] >= threshold], self.hold, limit)

    def at(self, threshold: float) -> Detection:
        alarm = np.flatnonzero(self.scores >= threshold)
        place = np.searchsorted(alarm, self.zones[:, 0])
        first = np.append(alarm, len(self.scores))[place]
        delays = np.where(first < self.zones[:, 1], (first - self.events[:, 0]) / self.sample_rate, np.nan)
        return Detection(threshold, delays, self.widths, self.false_alarms(threshold), self.hours)
