"""How well corrupted recordings are told from clean ones: areas under the ROC curve, and shares found.

N recordings, each clean and in one copy for each corruption.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..corruptions import CORRUPTIONS
from ..metrics import Interval, roc_area, roc_area_draws
from ..scoring.fuse import attainable_rate
from ..scoring.judge import promised
from .corruption_scores import JOINED, Judged, Outcome

Floats = NDArray[np.float64]

ASKED_RATES = (0.01, 0.05)
"""Rates of false alarms at which detection is reported, where the calibration can promise them."""
ALONE = "score alone"
"""Name of the joined score where states do not count."""
CLEAN, MEAN = "clean", "mean"
_LEVEL, _DRAWS = 0.95, 2000


@dataclass(frozen=True)
class Figure:
    """How well one score finds one corruption.

    Attributes:
        copies: those with a value and, where states count, those found by their state; of MEAN, corruptions
            with figures. `left_out`: the others.
        area: AUROC of copies against clean recordings, its interval and the number of recordings; None
            without copies, and of CLEAN.
        found: share of the copies with a p-value up to each rate, or found by their state; None without
            copies.
    """

    copies: int
    left_out: int
    area: Interval | None
    found: tuple[float, ...] | None


@dataclass(frozen=True)
class Row:
    """One corruption.

    Attributes:
        name, strength: see `CORRUPTIONS`; CLEAN for the recordings as they are, whose shares found are false
            alarms; MEAN over corruptions.
        states: how many copies have each named state that their clean recording has not; of CLEAN, how many
            recordings have it.
        unscored: how many have it in place of a score.
        figures: by JOINED, ALONE, and the names of the terms.
    """

    name: str
    strength: str
    states: Mapping[str, int]
    unscored: int
    figures: Mapping[str, Figure]


def used_rates(n: int) -> tuple[float, ...]:
    """ASKED_RATES; in place of those that n calibration units cannot promise, the smallest that they can."""
    return tuple(sorted({max(rate, attainable_rate(n)) for rate in ASKED_RATES}))


def make_rows(judged: Sequence[Judged], terms: Sequence[str], rates: Sequence[float], seed: int) -> list[Row]:
    """CLEAN, every corruption, and MEAN; of two or more recordings."""
    clean = [one.clean for one in judged]
    tracks = (JOINED, ALONE, *terms)
    named = Counter(one.status for one in clean if one.status != "ok")
    rows = [
        Row(
            CLEAN,
            "",
            dict(sorted(named.items())),
            0,
            {track: _false_alarms(clean, track, rates) for track in tracks},
        )
    ]
    draws: dict[str, list[Floats]] = {track: [] for track in tracks}
    for name, corruption in CORRUPTIONS.items():
        changed = [one.changed[name] for one in judged]
        figures = {}
        for track in tracks:
            figures[track], areas = _figure(clean, changed, track, rates, seed)
            if areas is not None:
                draws[track].append(areas)
        states = Counter(
            copy.status for own, copy in zip(clean, changed, strict=True) if _found_by_state(own, copy)
        )
        unscored = sum(not copy.scored for copy in changed)
        rows.append(Row(name, corruption.strength, dict(sorted(states.items())), unscored, figures))
    means = {
        track: _mean([row.figures[track] for row in rows[1:]], draws[track], len(judged)) for track in tracks
    }
    return [*rows, Row(MEAN, "", {}, 0, means)]


def _found_by_state(clean: Outcome, copy: Outcome) -> bool:
    """Whether the copy's state gives it away: it stands in place of a score, or the clean one has another."""
    return not copy.scored or copy.status not in ("ok", clean.status)


def _false_alarms(clean: Sequence[Outcome], track: str, rates: Sequence[float]) -> Figure:
    key = JOINED if track == ALONE else track
    found = tuple(float(np.mean([promised(one.p_values[key], rate) for one in clean])) for rate in rates)
    return Figure(len(clean), 0, None, found)


def _figure(
    clean: Sequence[Outcome], changed: Sequence[Outcome], track: str, rates: Sequence[float], seed: int
) -> tuple[Figure, Floats | None]:
    """The figure, and the areas of resampled recordings behind its interval."""
    key = JOINED if track == ALONE else track
    by_state = [
        track == JOINED and _found_by_state(own, copy) for own, copy in zip(clean, changed, strict=True)
    ]
    kept = [index for index, copy in enumerate(changed) if by_state[index] or copy.scored]
    left_out = len(changed) - len(kept)
    if not kept:
        return Figure(0, left_out, None, None), None
    usual = np.array([one.values[key] for one in clean])
    values = np.array([np.inf if by_state[index] else changed[index].values[key] for index in kept])
    # Beyond all others, whatever they are: the area looks at their order alone.
    finite = np.concatenate([usual, values[np.isfinite(values)]])
    values = np.where(np.isfinite(values), values, np.nextafter(finite.max(), np.inf))
    labels = np.repeat([0, 1], [len(usual), len(values)])
    area = roc_area(np.concatenate([usual, values]), labels)
    areas = roc_area_draws(usual, values, kept, draws=_DRAWS, seed=seed)
    found = tuple(
        float(np.mean([by_state[index] or promised(changed[index].p_values[key], rate) for index in kept]))
        for rate in rates
    )
    return Figure(len(kept), left_out, _interval(area, areas, len(clean)), found), areas


def _mean(figures: Sequence[Figure], draws: Sequence[Floats], recordings: int) -> Figure:
    """Over the corruptions that have figures."""
    known = [(one.area.mean, one.found) for one in figures if one.area is not None and one.found is not None]
    if not known:
        return Figure(0, len(figures), None, None)
    area = float(np.mean([value for value, _ in known]))
    found = tuple(np.mean([shares for _, shares in known], axis=0).tolist())
    # The same recordings in every corruption: equal seeds drew alike.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a draw without any copy
        joined = np.nanmean(draws, axis=0)
    return Figure(len(known), len(figures) - len(known), _interval(area, joined, recordings), found)


def _interval(area: float, areas: Floats, units: int) -> Interval:
    tail = (1.0 - _LEVEL) / 2.0
    low, high = np.nanquantile(areas, [tail, 1.0 - tail]) if not np.isnan(areas).all() else (area, area)
    return Interval(area, float(low), float(high), units)
