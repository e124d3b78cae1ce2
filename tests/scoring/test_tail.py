"""Pareto tails against distributions whose tail is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import genpareto, norm

from seqflow.errors import UsageError
from seqflow.scoring.calibration import Calibration
from seqflow.scoring.fuse import fuse, simes
from seqflow.scoring.judge import Judge
from seqflow.scoring.tail import REACH, JointTail, ParetoTail

Array = np.ndarray


def critical(tail: Callable[[float], float], rate: float) -> float:
    """The value whose p-value is the rate, by bisection."""
    low, high = -10.0, 100.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if tail(middle) > rate else (low, middle)
    return high


@pytest.mark.parametrize(
    ("draw", "beyond", "least", "most"),
    [
        (lambda rng, n: rng.exponential(size=n), lambda x: np.exp(-x), 0.75, 1.3),
        # Lighter than what ever is fitted to it: the rate is kept, and not used up.
        (lambda rng, n: rng.standard_normal(n), norm.sf, 0.3, 1.0),
    ],
)
def test_the_rate_at_a_thousandth(
    draw: Callable[[np.random.Generator, int], Array],
    beyond: Callable[[float], float],
    least: float,
    most: float,
) -> None:
    """500 units, a rate that only 999 could promise: the mean over 100 calibrations of the true rate."""
    rng = np.random.default_rng(0)
    found = [beyond(critical(ParetoTail(draw(rng, 500)).p, 1e-3)) for _ in range(100)]
    error = 3.0 * np.std(found) / np.sqrt(len(found))
    assert least * 1e-3 - error <= np.mean(found) <= most * 1e-3 + error


def test_below_the_threshold_it_is_the_rank_and_it_joins_there() -> None:
    values = np.random.default_rng(1).exponential(size=250)
    tail = ParetoTail(values)
    assert np.sum(values > tail.threshold) == 25
    for x in np.linspace(-1.0, tail.threshold, 50):
        assert tail.p(x) == (1 + np.sum(values > x)) / 251
    assert tail.p(tail.threshold + 1e-9) == pytest.approx(tail.below) == pytest.approx(26 / 251)
    beyond = [tail.p(x) for x in np.linspace(tail.threshold, tail.threshold + 20, 100)]
    assert (np.diff(beyond) <= 0).all() and 0.0 < beyond[-1] < 1e-4


def test_the_fit_is_told() -> None:
    drawn = genpareto.rvs(0.1, scale=2.0, size=1000, random_state=3)
    good = ParetoTail(drawn).fit()
    assert (good.exceedances, good.units) == (100, 1000) and good.fit_p > 0.05
    # Of a Pareto distribution the excesses over u have the scale 2 + 0.1 u.
    assert abs(good.scale - (2.0 + 0.1 * np.quantile(drawn, 0.9))) < 1.0 and abs(good.shape - 0.1) < 0.25
    assert "goodness of fit" in good.text() and "not promised" in good.text()
    rng = np.random.default_rng(0)
    lumped = np.concatenate([rng.random(900), 1.0 + np.repeat([0.0, 1.0], 50) + 0.01 * rng.random(100)])
    assert ParetoTail(lumped).fit().fit_p < 0.05


def test_too_few_units() -> None:
    with pytest.raises(
        UsageError, match="needs 100 calibration units, 25 of them in the tail, and there are 99"
    ):
        ParetoTail(np.arange(99.0))
    same = ParetoTail(np.ones(100))  # no spread at all
    assert same.p(1.0) == 1 / 101 and 0.0 <= same.p(2.0) <= same.below


@pytest.mark.parametrize("terms", [1, 3])
def test_joined_terms(terms: int) -> None:
    """Conformal above, a tail below, down to a tenth of the least one; and the rates come out."""
    rng = np.random.default_rng(terms)
    mixing = rng.standard_normal((terms, terms)) + 2.0 * np.eye(terms)
    rates = []
    for _ in range(6):
        units = rng.exponential(size=(300, terms)) @ np.abs(mixing)
        tail = JointTail.of(units)
        new = rng.exponential(size=(400, terms)) @ np.abs(mixing)
        for values in new:
            conformal = fuse(units, values).p_value
            p, modelled = tail.p(values, conformal)
            assert modelled == (conformal <= tail.joint.below * (1 + 1e-9))
            assert p == conformal if not modelled else p <= tail.joint.below
            rates.append(p)
        far, modelled = tail.p(1e6 * np.ones(terms), 1 / 301)
        assert modelled and far == pytest.approx(1 / (REACH * 301))
    assert np.mean(np.array(rates) <= 0.002) <= 0.006
    assert 0.005 <= np.mean(np.array(rates) <= 0.02) <= 0.04


def test_a_recording_judged_with_a_tail() -> None:
    calibration = Calibration(
        terms=("nll",),
        window=8,
        hop=4,
        smoothing=(1,),
        unit="block",
        per_unit=1,
        statistics={"nll": {}},
        heights=np.array([[0.0], [1.0]]),
        units=np.random.default_rng(0).exponential(size=(200, 1)),
    )
    tail = JointTail.of(calibration.units)
    rows = np.array([[0.1], [30.0], [0.2], [0.3]])
    plain, modelled = Judge(calibration), Judge(calibration, tail)
    for judge in (plain, modelled):
        judge.add(rows)
    before, after = plain.judgement(), modelled.judgement()
    assert before.p_value == pytest.approx(4 / 201) and not before.modelled
    assert after.p_value == pytest.approx(4 / (REACH * 201)) and after.modelled
    assert (after.score, after.beyond) == (before.score, before.beyond) == (before.score, 1)
    counts = np.zeros(201 * REACH)
    for value in rows:
        p = tail.p(value, fuse(calibration.units, value).p_value)[0]
        counts[int(np.ceil(p * len(counts) - 1e-6)) - 1] += 1
    assert after.p_value == simes(counts)
