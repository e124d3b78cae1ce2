"""A detector beside published methods of TSB-AD, on the series that both have: VUS-PR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..metrics import Interval, paired_bootstrap
from .tsb_ad_means import ALL, default_track, mean_over, subsets, tracks
from .tsb_ad_row import SeriesRow

Published = Mapping[str, Mapping[str, float]]
"""Value of every method for every series: see `read_published`."""

TOP = 5
BEST_OF_ALL = "best published of each series"
Kind = Literal["this", "published", "best of all"]


@dataclass(frozen=True)
class Method:
    """VUS-PR of a method over the series that are compared.

    Attributes:
        name: of a track, or of a published method; `BEST_OF_ALL` takes for each series the best published
            value, as only one who knows the labels can.
        kind: this detector's, published, or the best of all.
        means: by subset, as `subsets` names them; None over nothing.
    """

    name: str
    kind: Kind
    means: Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """This detector beside published methods.

    Attributes:
        table: name of the file of published values.
        series: judged series that are in it; `missing`: judged series that are not.
        methods: tracks, then the `TOP` published methods by their mean, then the best of all.
        left_out: published methods without a value for some of the series: their means would be over others.
        track: the one that is compared.
        best: the published method with the highest mean over these very series.
        difference: mean of track minus best over series, with its interval; None for fewer than 2 series.
        difference_by_group: the same with label groups as units.
    """

    table: str
    series: int
    missing: int
    methods: tuple[Method, ...]
    left_out: tuple[str, ...]
    track: str
    best: str
    difference: Interval | None
    difference_by_group: Interval | None


def compare(rows: Sequence[SeriesRow], published: Published, table: str) -> Comparison:
    """The rows, which all have figures, beside a table of published values."""
    shared = [row for row in rows if published.get(row.name)]
    names = list(dict.fromkeys(method for row in shared for method in published[row.name]))
    whole = [name for name in names if all(name in published[row.name] for row in shared)]
    track = default_track(shared)
    own = [
        _method(name, "this", [row for row in shared if name in row.measures], _track_values(shared, name))
        for name in tracks(shared)
    ]
    theirs = [
        _method(name, "published", shared, {row.name: published[row.name][name] for row in shared})
        for name in whole
    ]
    theirs.sort(key=lambda method: -(method.means[ALL] or 0.0))
    highest = _method(
        BEST_OF_ALL, "best of all", shared, {row.name: max(published[row.name].values()) for row in shared}
    )
    best = theirs[0].name if theirs else ""
    both = [row for row in shared if track in row.measures] if best else []
    ours, other = _track_values(both, track), [published[row.name][best] for row in both]
    groups = [row.group for row in both]
    return Comparison(
        table=table,
        series=len(shared),
        missing=len(rows) - len(shared),
        methods=(*own, *theirs[:TOP], *([highest] if shared else [])),
        left_out=tuple(name for name in names if name not in whole),
        track=track,
        best=best,
        difference=_difference(list(ours.values()), other, None),
        difference_by_group=_difference(list(ours.values()), other, groups),
    )


def _method(name: str, kind: Kind, rows: Sequence[SeriesRow], values: Mapping[str, float]) -> Method:
    return Method(
        name, kind, {one: mean_over(rows, one, lambda row: values[row.name])[1] for one in subsets(rows)}
    )


def _track_values(rows: Sequence[SeriesRow], track: str) -> dict[str, float]:
    return {row.name: row.measures[track]["vus_pr"] for row in rows if track in row.measures}


def _difference(
    ours: Sequence[float], theirs: Sequence[float], groups: Sequence[str] | None
) -> Interval | None:
    if len(set(groups) if groups is not None else ours) < 2:
        return None
    return paired_bootstrap(ours, theirs, groups=groups)
