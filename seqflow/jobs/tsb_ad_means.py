"""Means over series of TSB-AD: all, by group of labels, short and long apart, by source; and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..detector import FUSED
from .tsb_ad_row import MEASURES, SeriesRow

LONG = 50_000
"""Points above which a series counts as long."""

ALL, GROUPS, SHORT, LONGER = "all series", "label groups", f"up to {LONG:,} points", "longer"
SUBSETS = (ALL, GROUPS, SHORT, LONGER)


@dataclass(frozen=True)
class Mean:
    """Means of one track over a subset of the series.

    Attributes:
        track: name.
        subset: one of `SUBSETS`, or `source NAME`.
        count: series, or for `label groups` how many groups.
        vus_pr, vus_roc, auc_pr, auc_roc: the means; None over nothing.
    """

    track: str
    subset: str
    count: int
    vus_pr: float | None
    vus_roc: float | None
    auc_pr: float | None
    auc_roc: float | None


@dataclass(frozen=True)
class Speed:
    """Time of the detector.

    Attributes:
        fit, score: seconds for 10,000 points, over all series together, as the detector says.
        mean, worst: seconds of a series, as the clock on the wall has it.
        worst_name: the series that took longest.
    """

    fit: float
    score: float
    mean: float
    worst: float
    worst_name: str


def default_track(rows: Sequence[SeriesRow]) -> str:
    """`fused` where a series has it, else the first track there is; empty without any."""
    names = tracks(rows)
    return FUSED if FUSED in names else names[0] if names else ""


def tracks(rows: Sequence[SeriesRow]) -> list[str]:
    """Names of all tracks, `fused` first, the others in the order of their first appearance."""
    names = dict.fromkeys(name for row in rows for name in row.measures)
    return sorted(names, key=lambda name: name != FUSED)


def subsets(rows: Sequence[SeriesRow]) -> list[str]:
    """`SUBSETS`, and one for each source in order."""
    return [*SUBSETS, *(f"source {name or '(none)'}" for name in sorted({row.source for row in rows}))]


def chosen(rows: Sequence[SeriesRow], subset: str) -> list[SeriesRow]:
    """The rows that belong to a subset; for `label groups` all of them."""
    if subset in (ALL, GROUPS):
        return list(rows)
    if subset in (SHORT, LONGER):
        return [row for row in rows if (row.points > LONG) == (subset == LONGER)]
    return [row for row in rows if f"source {row.source or '(none)'}" == subset]


def mean_over(
    rows: Sequence[SeriesRow], subset: str, value: Callable[[SeriesRow], float]
) -> tuple[int, float | None]:
    """How many units a subset has, and the mean of a value over them.

    Units are series, or for `label groups` groups, each with the mean over its series.
    """
    taken = chosen(rows, subset)
    if subset != GROUPS:
        units = [value(row) for row in taken]
    else:
        groups: dict[str, list[float]] = {}
        for row in taken:
            groups.setdefault(row.group, []).append(value(row))
        units = [math.fsum(values) / len(values) for values in groups.values()]
    return len(units), math.fsum(units) / len(units) if units else None


def means(rows: Sequence[SeriesRow]) -> list[Mean]:
    """Means of all tracks over all subsets of the rows, which all have figures."""
    found = []
    for track in tracks(rows):
        own = [row for row in rows if track in row.measures]
        for subset in subsets(rows):
            count = 0
            values: dict[str, float | None] = {}
            for measure in MEASURES:
                count, values[measure] = mean_over(own, subset, _figure(track, measure))
            found.append(Mean(track, subset, count, **values))
    return found


def _figure(track: str, measure: str) -> Callable[[SeriesRow], float]:
    return lambda row: row.measures[track][measure]


def speed(rows: Sequence[SeriesRow]) -> Speed | None:
    """Time over the rows, which all have figures; None over nothing."""
    if not rows:
        return None
    points = sum(row.points for row in rows) / 10_000
    worst = max(rows, key=lambda row: row.seconds)
    return Speed(
        fit=math.fsum(row.fit_seconds for row in rows) / points,
        score=math.fsum(row.score_seconds for row in rows) / points,
        mean=math.fsum(row.seconds for row in rows) / len(rows),
        worst=worst.seconds,
        worst_name=worst.name,
    )
