"""The judgement of a recording from the measures of its windows, against a calibration.

Shapes: measures (B, K) of B windows and K terms.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import UsageError
from ..recipe import ScoreConfig
from .background import Background
from .calibration import Calibration, Pool, measures
from .compare import Comparison, Comparisons
from .extract import Extract, resolve_hop
from .fuse import simes
from .place import Place
from .tail import REACH, JointTail
from .term import Array, Statistics, Term
from .terms import make_terms


class Scorer:
    """Terms and lengths that a calibration and a recipe agree on.

    `hz` is the model's rate; `onset` windows in a row that alarm make an event, None: a block.
    Raises UsageError where they do not, or where the calibration cannot promise the rate of false alarms.
    """

    def __init__(
        self,
        config: ScoreConfig,
        calibration: Calibration | None,
        window: int | None,
        hz: float | None = None,
        onset: int | None = None,
    ) -> None:
        self.calibration = calibration
        self.place: Place | None = None
        self.rate, self.per_hour = config.alarm_rate, config.alarms_per_hour
        self._comparisons: Comparisons | None = None
        self.statistics: Mapping[str, Statistics] = {"nll": {}}
        if calibration is None:
            if window is None:
                raise UsageError("window: give the length of the windows, or a calibration that knows it")
            self.window, self.hop = window, resolve_hop(config, window)
            self.terms: Sequence[Term] = make_terms(["nll"], config.smoothing)
            return
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
        if "ratio" in calibration.terms and calibration.background is None:
            raise UsageError(
                "score.terms: ratio needs the background model that it was calibrated with; calibrate again "
                "with --background"
            )
        self.calibration = calibration
        self._comparisons = Comparisons(config, calibration, hz, onset)
        self.rate = self._comparisons.rate
        self.statistics = calibration.statistics
        self.terms = calibration.make_terms()
        self.place = Place(self.terms, calibration.heights)

    @property
    def background(self) -> Background | None:
        """The model that the term `ratio` compares with; None without that term."""
        return None if self.calibration is None else self.calibration.background

    def compared(self, conditions: Mapping[str, str]) -> Comparison | None:
        """What a recording of which this is declared is compared with; None without a calibration."""
        return None if self._comparisons is None else self._comparisons.of(conditions)


class Judgement(NamedTuple):
    """What is said of a recording.

    score: fused score of the worst unit. terms: values (K,) of that unit. p_value: of the recording; that of
    several blocks is Simes' combination of theirs. term_p_values: (K,) the same by each term alone.
    units: how many the recording was judged as. beyond: how many of them score higher than every unit of the
    calibration. modelled: whether a p-value is of a tail.
    """

    score: float
    p_value: float
    terms: Array
    term_p_values: Array
    units: int
    beyond: int
    modelled: bool = False

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


class Spot(NamedTuple):
    """The first sample of a window, the highest `place` of its steps, and the sample that lies at."""

    start: int
    height: float
    peak: int


class Block(NamedTuple):
    """A block that was judged: samples start .. end - 1, the highest `place` at `peak`."""

    start: int
    end: int
    score: float
    p_value: float
    peak: int


class Judge:
    """Judges a recording as one unit, or block by block of as many windows as calibrated.

    Windows that are left after the last full block are judged with the windows before them. Memory: a block.

    Args:
        calibration: the units to compare with.
        tail: of their scores, for smaller p-values; None: conformal ones alone.
        on_block: told of every block, where `add` was told of the windows' spots.
    """

    def __init__(
        self,
        calibration: Calibration,
        tail: JointTail | None = None,
        on_block: Callable[[Block], None] | None = None,
    ) -> None:
        self._calibration, self._tail, self._on_block = calibration, tail, on_block
        self._terms = calibration.make_terms()
        self._pool = Pool(self._terms)
        self._last = np.empty((0, len(self._terms)))
        self._spots: deque[Spot] = deque(maxlen=calibration.per_unit or 1)
        # How many units have the p-value j/N, j = 1 .. N: jointly, and by each term.
        self._counts = np.zeros((len(calibration) + 1) * (REACH if tail else 1))
        self._term_counts = np.zeros((len(self._terms), len(calibration) + 1))
        self._beyond, self._modelled = 0, False
        self._worst: tuple[float, float, Array] | None = None

    def add(self, rows: Array, spots: Sequence[Spot] = ()) -> None:
        """Take in the measures (B, K) of further windows, and where each is highest."""
        size = self._calibration.per_unit
        if not size:
            self._pool.add(rows)
            return
        for index, row in enumerate(rows):
            self._pool.add(row[None])
            self._spots.extend(spots[index : index + 1])
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
        units = int(self._counts.sum())
        return Judgement(-score, simes(self._counts), terms, alone, units, self._beyond, self._modelled)

    def _close(self) -> None:
        values = self._pool.values()
        fused = self._calibration.judge(values)
        p_value, levels = fused.p_value, len(self._counts)
        if self._tail is not None:
            p_value, modelled = self._tail.p(values, fused.p_value)
            self._modelled |= modelled
        self._beyond += round(fused.p_value * (len(self._calibration) + 1)) == 1
        # Conformal p-values lie on the levels, those of a tail are rounded up to one.
        self._counts[math.ceil(p_value * levels - 1e-6) - 1] += 1
        if self._on_block is not None and self._spots:
            spots = list(self._spots)[-self._pool.count :]
            top = max(spots, key=lambda spot: spot.height)
            end = spots[-1].start + self._calibration.window
            self._on_block(Block(spots[0].start, end, fused.score, p_value, top.peak))
        self._pool = Pool(self._terms)
        places = np.rint(fused.terms * self._term_counts.shape[1]).astype(int) - 1
        self._term_counts[np.arange(len(places)), places] += 1
        found = (p_value, -fused.score, values)
        if self._worst is None or found[:2] < self._worst[:2]:
            self._worst = found
