"""Promises of the p-values, held against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from seqflow.errors import UsageError
from seqflow.scoring.fuse import attainable_rate, check_rate, fuse, rate_text, simes

TRIALS = 2000


def bound(rate: float, trials: int = TRIALS) -> float:
    """What a rate of at most `rate` keeps below in all but one of a million series of trials."""
    return float(binom.isf(1e-6, trials, rate)) / trials


def dependent(rng: np.random.Generator, n: int, terms: int = 4) -> np.ndarray:
    """Heavy-tailed values (n, K) of terms that depend on each other, with ties."""
    shared = rng.standard_t(3, (n, 1))
    return np.round(shared + 0.5 * rng.standard_t(3, (n, terms)), 1)


@pytest.mark.parametrize("n", [9, 19, 60])
def test_p_values_of_normal_units_are_valid(n: int) -> None:
    rng = np.random.default_rng(n)
    found = np.empty((TRIALS, 5))
    for trial in range(TRIALS):
        values = dependent(rng, n + 1)
        fused = fuse(values[:n], values[n])
        found[trial] = [fused.p_value, *fused.terms]
    for rate in (0.05, 0.1, 0.3, 0.6):
        assert (found <= rate).mean(axis=0).max() <= bound(rate)
    # And not wastefully large: one of n + 1 exchangeable units is the largest.
    assert (found[:, 0] <= 1 / (n + 1)).mean() >= 0.5 / (n + 1)


def test_p_values_of_recordings_judged_block_by_block_are_valid() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(600):
        calibration = dependent(rng, 40)
        counts = np.zeros(41)
        for values in dependent(rng, 12):
            counts[round(fuse(calibration, values).p_value * 41) - 1] += 1
        found.append(simes(counts))
    for rate in (0.05, 0.1, 0.3):
        assert (np.array(found) <= rate).mean() <= bound(rate, 600)


def test_the_p_value_of_a_term_is_its_rank() -> None:
    calibration = np.array([[1.0], [2.0], [2.0], [5.0]])
    for value, p in [(0.0, 1.0), (1.0, 1.0), (1.5, 0.8), (2.0, 0.8), (3.0, 0.4), (5.0, 0.4), (6.0, 0.2)]:
        fused = fuse(calibration, np.array([value]))
        assert fused.terms[0] == pytest.approx(p)
        assert fused.p_value == pytest.approx(p)


def test_the_score_is_the_harmonic_mean_of_the_p_values() -> None:
    calibration = np.arange(1.0, 20.0)[:, None] * np.ones(3)
    fused = fuse(calibration, np.array([10.5, 15.5, 18.5]))
    assert fused.terms.tolist() == [0.5, 0.25, 0.1]
    assert fused.score == pytest.approx(np.log((2.0 + 4.0 + 10.0) / 3.0))


def test_one_term_that_sees_a_fault_is_enough() -> None:
    """Copies of terms that see nothing hardly change what is found."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        calibration, new = rng.standard_normal((99, 6)), rng.standard_normal(6)
        new[0] += 4.5
        found.append(fuse(calibration, new).p_value <= 0.05)
    assert np.mean(found) > 0.9


@given(st.integers(0, 10_000))
def test_every_unit_is_treated_alike(seed: int) -> None:
    """The score that a unit gets is the same whoever of the bag is called the new one."""
    rng = np.random.default_rng(seed)
    bag = dependent(rng, 8)
    scores = []
    for index in range(8):
        rest = rng.permutation(np.delete(bag, index, axis=0))
        scores.append(fuse(rest, bag[index]).score)
    for index in range(8):
        p = fuse(np.delete(bag, index, axis=0), bag[index]).p_value
        assert p == (np.array(scores) >= scores[index]).mean()


def test_the_score_goes_on_rising_where_p_values_end() -> None:
    calibration = np.random.default_rng(0).standard_normal((30, 2))
    near, far = (fuse(calibration, np.array([value, 0.0])) for value in (40.0, 4000.0))
    assert near.p_value == far.p_value == pytest.approx(1 / 31)
    assert far.score > near.score + 3


def test_values_without_spread_are_no_division_by_zero() -> None:
    fused = fuse(np.ones((5, 2)), np.array([1.0, 1e30]))
    assert np.isfinite(fused.score)
    assert fused.p_value == pytest.approx(1 / 6)
    assert fuse(np.empty((0, 2)), np.ones(2))[:2] == (0.0, 1.0)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=30))
def test_simes(ranks: list[int]) -> None:
    p = np.sort(ranks) / 20
    expected = min(len(p) * value / (i + 1) for i, value in enumerate(p))
    assert simes(np.bincount(np.array(ranks) - 1, minlength=20)) == pytest.approx(expected)


def test_one_block_keeps_its_p_value_and_one_of_many_says_little() -> None:
    def counts(**found: int) -> np.ndarray:
        result = np.zeros(100)
        for rank, number in found.items():
            result[int(rank[1:]) - 1] = number
        return result

    assert simes(counts(r3=1)) == pytest.approx(0.03)
    assert simes(counts(r1=1, r50=49)) == pytest.approx(0.5)
    assert simes(counts(r1=25, r50=25)) == pytest.approx(0.02)


def test_rates_that_cannot_be_promised_are_refused() -> None:
    assert attainable_rate(19) == 0.05
    check_rate(0.05, 19)
    with pytest.raises(
        UsageError, match=r"0\.01 is below the smallest attainable rate 0\.05 with 19 calibration rec"
    ):
        check_rate(0.01, 19)
    with pytest.raises(UsageError, match="calibrated with 99 blocks or more"):
        check_rate(0.01, 19, "block")
    for rate in (0.0, 1.0, float("nan")):
        with pytest.raises(UsageError, match="must lie between 0 and 1"):
            check_rate(rate, 19)


@pytest.mark.parametrize("n", [1, 6, 9, 11, 19, 40, 101, 999, 5000])
def test_a_rate_that_was_shown_can_be_asked_for(n: int) -> None:
    shown = float(rate_text(attainable_rate(n)))
    check_rate(shown, n)
    assert shown == pytest.approx(attainable_rate(n), rel=0.01)
