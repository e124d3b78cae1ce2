"""What normal recordings look like to the score, and p-values from it.

Shapes: n calibration units, K terms; features (windows, D).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, UsageError
from .background import Background
from .fuse import Fused, attainable_rate, check_rate, fuse
from .place import heights
from .term import Array, Statistics, Term
from .terms import NAMES, make_terms

Unit = Literal["recording", "block"]
Features = Mapping[str, Array]
"""Raw features (windows, D) of one unit by the term's name."""

_VERSION = 2
_FOLDS = 10


class Pool:
    """Running value of each term over the windows of a unit: their mean or maximum, then `finish`."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self._terms = terms
        self._sum = np.zeros(len(terms))
        self._max = np.full(len(terms), -np.inf)
        self.count = 0

    def add(self, rows: Array) -> None:
        """Take in the measures (B, K) of further windows."""
        for row in rows:
            # One by one: the rounding of a sum must not depend on how the windows were batched.
            self._sum += row
            np.maximum(self._max, row, out=self._max)
        self.count += len(rows)

    def values(self) -> Array:
        """Values (K,) of the unit; at least one window must have been added."""
        mean = self._sum / self.count
        parts = [
            term.finish(mean[k : k + 1] if term.pool == "mean" else self._max[k : k + 1])
            for k, term in enumerate(self._terms)
        ]
        return np.concatenate(parts)


def measures(terms: Sequence[Term], features: Features, statistics: Mapping[str, Statistics]) -> Array:
    """Measures (B, K) of windows, before pooling."""
    return np.stack([term.measure(features[term.name], statistics[term.name]) for term in terms], axis=1)


def finished(terms: Sequence[Term], rows: Array) -> Array:
    """Values (B, K) of single windows from their measures."""
    return np.stack([term.finish(rows[:, k]) for k, term in enumerate(terms)], axis=1)


@dataclass(frozen=True)
class Calibration:
    """Scores of held-out normal recordings, and what the terms have learned from them.

    Attributes:
        terms: names of the K terms.
        window, hop: samples; recordings must be scored with the same.
        smoothing: scales of the local term, samples.
        unit: "recording": the scores of whole recordings are exchangeable. "block": those of blocks of
            `per_unit` consecutive windows are, for want of enough recordings.
        per_unit: windows in a block; 0 for recordings.
        statistics: of each term, by its name.
        heights: (2, K) usual and high values of single windows, see `place.heights`.
        units: (n, K) values of the calibration units, one row each.
        declared: what is declared about each unit: (n) values by the name of the condition, "" for none.
        background: what the term `ratio` compares with; None without that term.
    """

    terms: tuple[str, ...]
    window: int
    hop: int
    smoothing: tuple[int, ...]
    unit: Unit
    per_unit: int
    statistics: Mapping[str, Statistics]
    heights: Array
    units: Array
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    background: Background | None = None

    def __len__(self) -> int:
        return len(self.units)

    @property
    def attainable_rate(self) -> float:
        """Smallest rate of false alarms per unit that can be promised, 1/(n + 1)."""
        return attainable_rate(len(self))

    def check_rate(self, rate: float) -> None:
        """Raise UsageError for a rate of false alarms below the attainable one."""
        check_rate(rate, len(self), self.unit)

    def make_terms(self) -> list[Term]:
        """The terms, ready to measure."""
        return make_terms(self.terms, self.smoothing)

    def part(self, chosen: NDArray[np.bool_]) -> Calibration:
        """The calibration with these units alone (n,)."""
        declared = {
            name: tuple(value for value, own in zip(values, chosen, strict=True) if own)
            for name, values in self.declared.items()
        }
        return replace(self, units=self.units[chosen], declared=declared)

    def select(self, names: Sequence[str]) -> Calibration:
        """The calibration of these terms only. Raises UsageError for one that was not calibrated."""
        missing = [name for name in names if name not in self.terms]
        if missing:
            known = ", ".join(self.terms)
            raise UsageError(f"score.terms: {missing[0]} was not calibrated (but {known}); calibrate again")
        columns = [self.terms.index(name) for name in names]
        return replace(
            self,
            terms=tuple(names),
            statistics={name: self.statistics[name] for name in names},
            heights=self.heights[:, columns],
            units=self.units[:, columns],
            background=self.background if "ratio" in names else None,
        )

    def judge(self, values: Array) -> Fused:
        """Fused score and p-values of a unit with the values (K,)."""
        return fuse(self.units, values)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything as named arrays, for a safetensors file."""
        numbers = [_VERSION, self.window, self.hop, self.per_unit, get_args(Unit).index(self.unit)]
        arrays: dict[str, NDArray[Any]] = {
            "numbers": np.array(numbers, dtype=np.int64),
            "smoothing": np.array(self.smoothing, dtype=np.int64),
            # Indices into NAMES: arrays hold no text.
            "terms": np.array([NAMES.index(name) for name in self.terms], dtype=np.int64),
            "heights": np.ascontiguousarray(self.heights),
            "units": np.ascontiguousarray(self.units),
        }
        if self.declared:
            # Text in ASCII, as numbers.
            arrays["declared"] = np.frombuffer(json.dumps(dict(self.declared)).encode(), dtype=np.int8).copy()
        if self.background is not None:
            arrays["background"] = np.frombuffer(bytes.fromhex(self.background.digest), dtype=np.int8).copy()
        for term, statistics in self.statistics.items():
            for key, value in statistics.items():
                arrays[f"statistics.{term}.{key}"] = np.ascontiguousarray(value)
        return arrays

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], background: Background | None = None
    ) -> Calibration:
        """The inverse of `to_arrays`, which keeps no more of a background model than its digest.

        Without a background model the calibration can be looked at, but not scored with the term `ratio`.
        Raises CheckpointError where the arrays are no calibration, or one with another background model.
        """
        try:
            version, window, hop, per_unit, unit = (int(v) for v in arrays["numbers"])
            if version != _VERSION:
                raise CheckpointError(
                    f"calibration: version {version}, this program reads {_VERSION}; train anew"
                )
            names = tuple(dict(enumerate(NAMES))[int(index)] for index in arrays["terms"])
            smoothing = tuple(int(v) for v in arrays["smoothing"])
            prefix = "statistics.{}.{}".format
            statistics = {
                t.name: {key: np.asarray(arrays[prefix(t.name, key)], np.float64) for key in t.learns}
                for t in make_terms(names, smoothing)
            }
            units = np.asarray(arrays["units"], dtype=np.float64)
            found = np.asarray(arrays["heights"], dtype=np.float64)
            declared = _declared(arrays.get("declared"))
            kind = dict(enumerate(get_args(Unit)))[unit]
        except (KeyError, ValueError, TypeError, RecursionError, UsageError) as error:
            raise CheckpointError(f"calibration: damaged or of another program ({error!r})") from error
        numbers = [units, found, *(value for own in statistics.values() for value in own.values())]
        fits = units.ndim == 2 and len(units) > 0 and units.shape[1] == len(names) > 0
        fits = fits and found.shape == (2, len(names))
        fits = fits and all(len(values) == len(units) for values in declared.values())
        fits = fits and 1 <= hop <= window and (per_unit > 0) == (kind == "block")
        if not fits or not all(np.isfinite(value).all() for value in numbers):
            raise CheckpointError("calibration: its arrays do not fit each other; calibrate again")
        if background is not None and _bytes(arrays.get("background")) != bytes.fromhex(background.digest):
            raise CheckpointError(
                "calibration: the background model is not the one it was made with; calibrate again with "
                "--background"
            )
        kept = background if "ratio" in names else None
        return cls(names, window, hop, smoothing, kind, per_unit, statistics, found, units, declared, kept)


def fit_calibration(
    features: Sequence[Features],
    *,
    terms: Sequence[str],
    window: int,
    hop: int,
    smoothing: Sequence[int],
    unit: Unit = "recording",
    per_unit: int = 0,
    declared: Sequence[Mapping[str, str]] = (),
    background: Background | None = None,
) -> Calibration:
    """Calibration from the raw features of n >= 1 units.

    A unit judged by statistics it took part in looks more normal than a new one. So the units are parted into
    at most 10 folds, and the values of a fold come from statistics of the others; new recordings are judged
    by the statistics of all. `declared` are the conditions of the n units. Raises ValueError without a unit.
    """
    if not features:
        raise ValueError("a calibration needs at least one unit")
    made = make_terms(terms, smoothing)
    n = len(features)
    folds = min(n, _FOLDS)
    units = np.empty((n, len(made)))
    for fold in range(folds):
        held_out = range(fold, n, folds)
        # A single unit has no others.
        rest = [f for index, f in enumerate(features) if index % folds != fold] or list(features)
        statistics = _fit(made, rest)
        for index in held_out:
            pool = Pool(made)
            pool.add(measures(made, features[index], statistics))
            units[index] = pool.values()
    statistics = _fit(made, features)
    windows = [finished(made, measures(made, unit_features, statistics)) for unit_features in features]
    return Calibration(
        terms=tuple(terms),
        window=window,
        hop=hop,
        smoothing=tuple(smoothing),
        unit=unit,
        per_unit=per_unit,
        statistics=statistics,
        heights=heights(np.concatenate(windows)),
        units=units,
        declared={
            name: tuple(one.get(name, "") for one in declared)
            for name in sorted({name for one in declared for name in one})
        },
        background=background if "ratio" in terms else None,
    )


def _bytes(stored: NDArray[Any] | None) -> bytes:
    return b"" if stored is None else np.asarray(stored, dtype=np.int8).tobytes()


def _declared(stored: NDArray[Any] | None) -> dict[str, tuple[str, ...]]:
    if stored is None:
        return {}
    found = json.loads(_bytes(stored))
    lists = list(found.values()) if isinstance(found, dict) else [None]
    if not all(isinstance(one, list) and all(isinstance(value, str) for value in one) for one in lists):
        raise ValueError("what is declared must be text")
    return {str(name): tuple(values) for name, values in found.items()}


def _fit(terms: Sequence[Term], features: Sequence[Features]) -> dict[str, dict[str, Array]]:
    return {term.name: term.fit([unit[term.name] for unit in features]) for term in terms}
