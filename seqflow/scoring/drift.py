"""Has normal changed? A conformal test martingale over units of a stream, with seldom false alarms.

Sources: V. Vovk, A. Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2nd edition (2022),
chapter 8 (conformal change detection); V. Vovk et al., Retrain or not retrain: conformal test martingales for
change-point detection (2021), whose Simple Jumper bets here.

Shapes: n calibration units, K terms.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np

from .calibration import Calibration
from .term import Array

# Betting functions on [0, 1], each with integral 1: no bet, against large p-values, against small ones, and
# sharply so against the smallest.
_BETS = 4
_JUMP = 0.01
# Bins of the oddness of a unit: it is rounded down to this, and never beyond the last.
_RESOLUTION = 0.02
_BINS = 2000


def _bets(p: float) -> Array:
    return np.array([1.0, 2.0 * p, 2.0 * (1.0 - p), 0.5 / math.sqrt(max(p, 1e-12))])


class ShiryaevRoberts:
    """Sum over all past steps of a martingale that begins there: large where one of them has grown since.

    R_n = sum over i <= n of S_n / S_(i-1), with S a Simple Jumper over the bets: a capital spread over them,
    of which a hundredth is spread anew before each step. Where p-values are independent and uniform,
    R_n - n is a martingale, so the expected number of steps until R_n >= A is at least A. CUSUM, the largest
    of the summands, is never above R_n: the same holds for it, and it is slower.
    """

    def __init__(self) -> None:
        self.capital = np.zeros(_BETS)

    @property
    def value(self) -> float:
        """R_n."""
        return float(self.capital.sum())

    def add(self, p: float) -> float:
        """Take in a p-value in [0, 1]; R_n after it."""
        started = self.capital + 1.0 / _BETS
        spread = (1.0 - _JUMP) * started + _JUMP * started.sum() / _BETS
        self.capital = spread * _bets(p)
        return self.value


class Ranks:
    """Smoothed conformal p-values of numbers, each against all that came before, in constant memory.

    p = (#{x_i > x} + U·#{x_i = x}) / n over the n numbers seen so far, x itself among them, with U uniform.
    Where the numbers are exchangeable, the p-values are independent and uniform, exactly. Numbers are counted
    in bins, which ties those of a bin; U parts them.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS, dtype=np.int64)

    def add(self, x: float, u: float | None) -> float:
        """Take in a number; its p-value, given `u`, else 1: it is only remembered."""
        at = int(min(max(x / _RESOLUTION, 0.0), _BINS - 1))
        self.counts[at] += 1
        if u is None:
            return 1.0
        above, ties = int(self.counts[at + 1 :].sum()), int(self.counts[at])
        return (above + u * ties) / int(self.counts.sum())


class Oddness:
    """One number for the values (K,) of a unit: sum over terms of -ln p + ln(1 + excess).

    Unlike in `fuse`, p and excess are those against fixed units, so the function is fixed; and terms add up,
    as a drift that shows a little in each of them is one.
    """

    def __init__(self, units: Array) -> None:
        self._columns = [sorted(column) for column in units.T.tolist()]
        median, quartile = np.median(units, axis=0), np.quantile(units, 0.25, axis=0)
        floor = np.maximum(1e-6 * np.abs(median), 1e-12)
        self._spread = np.maximum(median - quartile, floor).tolist()

    def __call__(self, values: Array) -> float:
        """0 and more, the larger the more unusual."""
        total = 0.0
        for x, column, spread in zip(values.tolist(), self._columns, self._spread, strict=True):
            # Between the units on either side, so that ties are few.
            rank = 0.5 * (bisect_left(column, x) + bisect_right(column, x))
            p = (len(column) - rank + 0.5) / (len(column) + 1.0)
            total += math.log1p(max(x - column[-1], 0.0) / spread) - math.log(p)
        return total


class DriftMonitor:
    """Alarms where the units of a stream stop being exchangeable with those before them.

    The oddness of a unit is a fixed function, made from one half of the calibration units; the other half are
    the first ones it is compared with, and every unit of the stream is compared with all before it. Where the
    stream is exchangeable with the calibration, p-values are independent and uniform, and the expected number
    of units between alarms is at least `every`. After an alarm everything is forgotten but the function: what
    comes then is compared with itself, so a change alarms once.

    Units must share no sample, and be independent but for what the stream has always been like: give every
    unit that begins behind the last one given. Dependence that outlasts a unit breaks the promise.

    Args:
        calibration: of the stream's model, of blocks.
        every: A, expected units between false alarms, at least.
        seed: of the numbers that part ties.
    """

    def __init__(self, calibration: Calibration, every: float, seed: int = 0) -> None:
        if not every >= 1.0:
            raise ValueError(f"alarms must be expected at least a unit apart, got {every}")
        self.every = every
        self._seed = seed
        self._oddness = Oddness(calibration.units[::2])
        self._ranks = Ranks()
        for values in calibration.units[1::2]:
            self._ranks.add(self._oddness(values), None)
        self._evidence = ShiryaevRoberts()
        self.units = 0

    def add(self, values: Array) -> float | None:
        """Take in the values (K,) of a unit. The evidence, at least `every`, where it alarms; else None."""
        u = float(np.random.default_rng([self._seed, self.units]).random())
        self.units += 1
        found = self._evidence.add(self._ranks.add(self._oddness(values), u))
        if found < self.every:
            return None
        self._ranks, self._evidence = Ranks(), ShiryaevRoberts()
        return found

    @property
    def evidence(self) -> float:
        """R_n; it alarms at `every`."""
        return self._evidence.value

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here."""
        return {
            "every": self.every,
            "seed": self._seed,
            "units": self.units,
            "counts": self._ranks.counts.copy(),
            "capital": self._evidence.capital.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state. Raises ValueError where it is that of another monitor."""
        for key, own in (("every", self.every), ("seed", self._seed)):
            if state[key] != own:
                raise ValueError(f"drift monitor with {key} {state[key]}, this one has {own}")
        self.units = int(state["units"])
        self._ranks.counts = np.array(state["counts"], dtype=np.int64)
        self._evidence.capital = np.array(state["capital"], dtype=np.float64)
