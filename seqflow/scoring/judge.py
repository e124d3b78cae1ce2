"""The judgement of a recording from the measures of its windows, against a calibration.

Shapes: measures (B, K) of B windows and K terms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..recipe import ScoreConfig
from .calibration import Calibration, Pool, measures
from .extract import Extract, resolve_hop
from .fuse import simes
from .place import Place
from .term import Array, Statistics, Term
from .terms import make_terms


class Scorer:
    """Terms and lengths that a calibration and a recipe agree on.

    Raises UsageError where they do not, or where the calibration cannot promise the alarm rate.
    """

    def __init__(self, config: ScoreConfig, calibration: Calibration | None, window: int | None) -> None:
        self.calibration = calibration
        self.place: Place | None = None
        self.rate = config.alarm_rate
        self.statistics: Mapping[str, Statistics] = {"nll": {}}
        if calibration is None:
            if window is None:
                raise UsageError("window: give the length of the windows, or a calibration that knows it")
            self.window, self.hop = window, resolve_hop(config, window)
            self.terms: Sequence[Term] = make_terms(["nll"], config.smoothing)
            return
        calibration.check_rate(config.alarm_rate)
        self.window, self.hop = calibration.window, calibration.hop
        if window is not None and window != self.window:
            raise UsageError(f"window: {window} samples, but the calibration was made with {self.window}")
        if config.hop is not None and config.hop != self.hop:
            raise UsageError(
                f"score.hop: {config.hop} samples, but calibrated with {self.hop}; calibrate again"
            )
        given = config.model_fields_set
        if "smoothing" in given and config.smoothing != calibration.smoothing:
            scales = list(calibration.smoothing)
            raise UsageError(f"score.smoothing: the calibration was made with {scales}; calibrate again")
        if "terms" in given:
            calibration = calibration.select(config.terms)
        self.calibration = calibration
        self.statistics = calibration.statistics
        self.terms = calibration.make_terms()
        self.place = Place(self.terms, calibration.heights)


class Judgement(NamedTuple):
    """What is said of a recording.

    score: fused score of the worst unit. terms: values (K,) of that unit. p_value: of the recording; that of
    several blocks is Simes' combination of theirs. term_p_values: (K,) the same by each term alone.
    units: how many the recording was judged as. beyond: how many of them score higher than every unit of the
    calibration.
    """

    score: float
    p_value: float
    terms: Array
    term_p_values: Array
    units: int
    beyond: int

    def unpromised(self, rate: float, n: int) -> str:
        """A line where blocks lie beyond all n of the calibration and yet give no alarm; "" elsewhere.

        k such blocks among m have m/k times the smallest p-value of a block, 1/(n + 1).
        """
        if not self.beyond or promised(self.p_value, rate):
            return ""
        needed = math.ceil(self.units / (self.beyond * rate) - 1e-9) - 1
        return (
            f"beyond every calibration block, but {n} blocks cannot promise the alarm rate {rate:g} for a "
            f"recording of {self.units} blocks, {needed} could"
        )


def promised(p_value: float, rate: float) -> bool:
    """Whether a p-value is an alarm at this rate."""
    # A hair of tolerance: 1/20 with 19 units is meant to be 0.05.
    return p_value <= rate * (1.0 + 1e-9)


def judge_extract(extract: Extract, calibration: Calibration) -> Judgement:
    """The judgement of a recording that has been through the flow and has a score.

    That of `score_recording`, but for rounding. It must have been taken with the window, the hop and the
    terms of the calibration.
    """
    judge = Judge(calibration)
    judge.add(measures(calibration.make_terms(), extract.features, calibration.statistics))
    return judge.judgement()


class Judge:
    """Judges a recording as one unit, or block by block of as many windows as calibrated.

    Windows that are left after the last full block are judged with the windows before them. Memory: a block.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._terms = calibration.make_terms()
        self._pool = Pool(self._terms)
        self._last = np.empty((0, len(self._terms)))
        # How many units have the p-value j/N, j = 1 .. N: jointly, and by each term.
        self._counts = np.zeros(len(calibration) + 1)
        self._term_counts = np.zeros((len(self._terms), len(calibration) + 1))
        self._worst: tuple[float, float, Array] | None = None

    def add(self, rows: Array) -> None:
        """Take in the measures (B, K) of further windows."""
        size = self._calibration.per_unit
        if not size:
            self._pool.add(rows)
            return
        for row in rows:
            self._pool.add(row[None])
            self._last = np.concatenate([self._last, row[None]])[-size:]
            if self._pool.count == size:
                self._close()

    def judgement(self) -> Judgement:
        """The judgement, once all windows are in; there must have been one."""
        if self._pool.count:
            if self._calibration.per_unit:
                self._pool = Pool(self._terms)
                self._pool.add(self._last)
            self._close()
        assert self._worst is not None
        _, score, terms = self._worst
        alone = np.array([simes(counts) for counts in self._term_counts])
        units, beyond = int(self._counts.sum()), int(self._counts[0])
        return Judgement(-score, simes(self._counts), terms, alone, units, beyond)

    def _close(self) -> None:
        values = self._pool.values()
        fused = self._calibration.judge(values)
        self._pool = Pool(self._terms)
        size = len(self._counts)
        self._counts[round(fused.p_value * size) - 1] += 1
        places = np.rint(fused.terms * size).astype(int) - 1
        self._term_counts[np.arange(len(places)), places] += 1
        found = (fused.p_value, -fused.score, values)
        if self._worst is None or found[:2] < self._worst[:2]:
            self._worst = found
