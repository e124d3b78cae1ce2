"""P-values beyond the calibration, by extreme-value theory: peaks over a threshold.

Sources: A. Balkema and L. de Haan (1974), J. Pickands (1975): whatever the distribution, what exceeds a high
threshold u follows a generalised Pareto distribution more and more closely,

    P(X - u > y | X > u) = (1 + ξ y / σ)^(-1/ξ).

That is a model of what was not seen, not a promise. A fit by maximum likelihood takes its ξ and σ for the
truth, and alarms several times too often; here the distribution is averaged over what ξ and σ may be after k
exceedances: posterior on a grid, flat in ln σ, with ξ ~ N(0, 0.15²), since the tails of scores are neither
short nor very heavy. So far the rates come out right on average over calibrations for exponential tails.

Shapes: n calibration units, K terms, k exceedances, G points of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto

from ..errors import UsageError
from .fuse import joined
from .term import Array

REACH = 10
"""No p-value below 1/(REACH (n + 1)) is given: k exceedances say nothing of what lies further out."""
LEAST = 100
"""Calibration units that a tail needs."""

_SHARE = 0.1
_LEAST_EXCEEDANCES = 25
_PRIOR = 0.15
_SHAPES = np.linspace(-0.5, 1.0, 31)
_SCALES = np.exp(np.linspace(-1.2, 1.2, 25))
_REPETITIONS = 99


class Fit(NamedTuple):
    """A fitted tail in figures.

    exceedances: k of n. below: p-values up to this come from the tail. shape, scale: posterior means of ξ
    and σ. fit_p: share of samples of the fitted distribution that fit it no better, by the Anderson-Darling
    statistic, parameters fitted to each: small where a Pareto tail is no description.
    """

    exceedances: int
    units: int
    below: float
    shape: float
    scale: float
    fit_p: float

    def text(self) -> str:
        """A line for who reads a p-value."""
        doubt = ", which does not fit" if self.fit_p < 0.01 else ""
        return (
            f"by a Pareto tail{doubt} (shape {self.shape:.2g}, {self.exceedances} of {self.units} units, "
            f"goodness of fit p {self.fit_p:.2g}), not promised"
        )


class ParetoTail:
    """The upper tail of n numbers: a tenth of them, 25 at least. Raises UsageError where n < LEAST."""

    def __init__(self, values: Array) -> None:
        n = len(values)
        check_tail(n)
        k = max(_LEAST_EXCEEDANCES, int(_SHARE * n))
        ordered = np.sort(values)
        self._ordered = ordered
        self.threshold = float(ordered[-k - 1])
        self._excess = ordered[-k:] - self.threshold
        self.below = (k + 1.0) / (n + 1.0)
        self._shape, self._scale, self._weight = _posterior(self._excess)

    def p(self, x: float) -> float:
        """Of a value: its rank up to the threshold, (1 + #{above})/(n + 1), the tail beyond."""
        if x <= self.threshold:
            n = len(self._ordered)
            return float(1 + n - np.searchsorted(self._ordered, x, side="right")) / (n + 1.0)
        sf = genpareto.sf(x - self.threshold, self._shape, scale=self._scale)
        return float(self.below * (self._weight @ sf))

    def fit(self) -> Fit:
        """The figures; takes some hundred fits."""
        shape, scale = float(self._weight @ self._shape), float(self._weight @ self._scale)
        own = _distance(self._excess, shape, scale)
        k = len(self._excess)
        drawn = genpareto.rvs(shape, scale=scale, size=(_REPETITIONS, k), random_state=0)
        worse = 0
        for sample in np.sort(drawn, axis=1):
            shapes, scales, weight = _posterior(sample)
            worse += _distance(sample, float(weight @ shapes), float(weight @ scales)) >= own
        return Fit(k, len(self._ordered), self.below, shape, scale, (1 + worse) / (1 + _REPETITIONS))


def check_tail(n: int) -> None:
    """Raise UsageError where n calibration units are too few for a tail."""
    if n < LEAST:
        raise UsageError(
            f"tail: a Pareto tail needs {LEAST} calibration units, {_LEAST_EXCEEDANCES} of them in the tail, "
            f"and there are {n}; leave --tail (score.tail) out, or calibrate on more"
        )


@dataclass(frozen=True)
class JointTail:
    """Tails of K terms and of what joins them.

    J = ln(mean over terms of 1/p_k), each p_k by its own tail, is the same function of calibration units and
    new ones (`fuse` has the same without tails), and the tail of J gives the p-value. The conformal one
    stands wherever it is above `below`: there nothing changes, and at the joint both are `below`.
    """

    terms: Sequence[ParetoTail]
    joint: ParetoTail
    units: int

    @cached_property
    def fit(self) -> Fit:
        """The figures of the joint tail."""
        return self.joint.fit()

    @classmethod
    def of(cls, units: Array) -> JointTail:
        """The tail of calibration units (n, K). Raises UsageError where n < LEAST."""
        terms = [ParetoTail(column) for column in units.T]
        joint = ParetoTail(np.array([_joined(terms, row) for row in units]))
        return cls(terms, joint, len(units))

    def p(self, values: Array, conformal: float) -> tuple[float, bool]:
        """The p-value of a unit with the values (K,), and whether it comes from the tail."""
        if conformal > self.joint.below * (1.0 + 1e-9):
            return conformal, False
        found = min(self.joint.p(_joined(self.terms, values)), self.joint.below)
        return max(found, 1.0 / (REACH * (self.units + 1.0))), True


def _joined(terms: Sequence[ParetoTail], values: Array) -> float:
    # A tail with an end gives 0 beyond it.
    p = [max(term.p(float(x)), 1e-12) for term, x in zip(terms, values, strict=True)]
    return float(joined(-np.log(p)))


def _posterior(excess: Array) -> tuple[Array, Array, Array]:
    """Shapes, scales and weights (G,) after exceedances (k,)."""
    mean = max(float(excess.mean()), 1e-12)
    shape, scale = (grid.ravel() for grid in np.meshgrid(_SHAPES, mean * _SCALES))
    z = 1.0 + np.outer(shape / scale, excess)
    inside: NDArray[np.bool_] = z.min(axis=1) > 0.0
    logs = np.log(np.where(inside[:, None], z, 1.0)).sum(axis=1)
    flat = np.abs(shape) < 1e-9
    power = np.where(flat, excess.sum() / scale, (1.0 + 1.0 / np.where(flat, 1.0, shape)) * logs)
    log = -power - len(excess) * np.log(scale) - 0.5 * (shape / _PRIOR) ** 2
    log = np.where(inside, log, -np.inf)
    weight = np.exp(log - log.max())
    return shape, scale, weight / weight.sum()


def _distance(ordered: Array, shape: float, scale: float) -> float:
    """Anderson and Darling's statistic of rising exceedances (k,)."""
    k = len(ordered)
    u = np.clip(genpareto.cdf(ordered, shape, scale=scale), 1e-12, 1.0 - 1e-12)
    i = np.arange(1, k + 1)
    return float(-k - ((2 * i - 1) * (np.log(u) + np.log1p(-u[::-1]))).sum() / k)
