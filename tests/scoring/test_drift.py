"""Drift alarms are as rare as promised, come soon where there is something, and do not flood."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from small import Array, noise

from seqflow.scoring import drift
from seqflow.scoring.calibration import Calibration
from seqflow.scoring.drift import DriftMonitor, Ranks, ShiryaevRoberts


def calibration(units: Array) -> Calibration:
    """One whose units have these values (n, K) of the terms; nothing else of it is used."""
    names = ("nll", "energy")[: units.shape[1]]
    return Calibration(names, 32, 16, (1,), "block", 1, {}, np.zeros((2, len(names))), units)


def gaps(monitor: DriftMonitor, values: Array) -> list[int]:
    """Units between alarms."""
    found, last = [], 0
    for index, row in enumerate(values, 1):
        if monitor.add(row) is not None:
            found.append(index - last)
            last = index
    return found


def test_every_bet_is_fair() -> None:
    for k in range(drift._BETS):
        total, _ = integrate.quad(lambda p, k=k: drift._bets(p)[k], 0.0, 1.0)
        assert total == pytest.approx(1.0, abs=1e-4)


def test_p_values_are_uniform_and_independent_where_numbers_are_exchangeable() -> None:
    """Of strongly tied numbers too; over many streams, also those early in one."""
    rng = np.random.default_rng(0)
    firsts, pairs = [], []
    for _ in range(1500):
        ranks = Ranks()
        x = np.round(rng.gamma(2.0, size=12), 0)
        p = [ranks.add(value, rng.random()) for value in x]
        firsts.append(p[0])
        pairs.append((p[4], p[11]))
    early, late = np.array(pairs).T
    for sample in (np.array(firsts), early, late):
        assert stats.kstest(sample, "uniform").pvalue > 1e-4
    assert abs(stats.spearmanr(early, late).statistic) < 0.1


def test_the_statistic_is_the_sum_over_all_starts() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(20)
    evidence = ShiryaevRoberts()
    for value in p:
        evidence.add(float(value))
    total = 0.0
    for start in range(20):
        capital = np.full(drift._BETS, 1.0 / drift._BETS)
        for value in p[start:]:
            capital = (1 - drift._JUMP) * capital + drift._JUMP * capital.sum() / drift._BETS
            capital = capital * drift._bets(float(value))
        total += capital.sum()
    assert evidence.value == pytest.approx(total)


@pytest.mark.parametrize("every", [30.0, 150.0])
def test_false_alarms_are_at_least_so_far_apart_on_average(every: float) -> None:
    rng = np.random.default_rng(2)
    between: list[int] = []
    for seed in range(12):
        units = rng.standard_normal((41, 2))
        monitor = DriftMonitor(calibration(units), every, seed)
        steps = int(25 * every)
        found = gaps(monitor, rng.standard_normal((steps, 2)))
        # The open gap at the end counts as one that has ended: that can only shorten the mean.
        between += [*found, steps - sum(found)]
    mean, error = np.mean(between), np.std(between) / np.sqrt(len(between))
    assert len(between) > 30
    assert mean + 2.0 * error >= every


def test_windows_of_autocorrelated_noise_keep_the_promise_where_they_share_no_sample() -> None:
    """Energies of windows of AR(1) noise that overlap by half: of every second one it does, of all not."""
    every, window, hop = 100.0, 64, 32

    def energies(seed: int, length: int, step: int) -> Array:
        x = noise(seed, length)[0]
        return np.lib.stride_tricks.sliding_window_view(x, window)[::step].std(axis=1)[:, None]

    means = {}
    for step in (hop, 2 * hop):
        between: list[int] = []
        for seed in range(6):
            values = energies(100 + seed, 1200 * step, step)
            monitor = DriftMonitor(calibration(energies(seed, 8000, 2 * hop)), every, seed)
            found = gaps(monitor, values)
            between += [*found, len(values) - sum(found)]
        means[step] = np.mean(between), 2.0 * np.std(between) / np.sqrt(len(between))
    mean, error = means[2 * hop]
    assert mean + error >= every
    mean, error = means[hop]
    assert mean + error < every


@pytest.mark.parametrize("shift", [1.5, -1.5])
def test_a_change_alarms_soon_and_once(shift: float) -> None:
    rng = np.random.default_rng(4)
    monitor = DriftMonitor(calibration(rng.standard_normal((60, 2))), 1000.0)
    calm = rng.standard_normal((100, 2))
    assert gaps(monitor, calm) == []
    after = gaps(monitor, rng.standard_normal((600, 2)) + shift)
    assert len(after) == 1 and after[0] < 60


def test_a_stream_unlike_its_calibration_alarms_though_it_never_changes() -> None:
    rng = np.random.default_rng(5)
    monitor = DriftMonitor(calibration(rng.standard_normal((80, 2))), 1000.0)
    assert gaps(monitor, rng.standard_normal((300, 2)) + 2.0)[:1] != []


def test_it_goes_on_from_a_state_to_the_bit() -> None:
    rng = np.random.default_rng(6)
    units, values = rng.standard_normal((30, 2)), rng.standard_normal((80, 2))
    one, other = (DriftMonitor(calibration(units), 50.0) for _ in range(2))
    for row in values[:40]:
        one.add(row)
    other.restore(one.state())
    assert gaps(one, values[40:]) == gaps(other, values[40:])
    assert one.evidence == other.evidence and one.units == 80
    with pytest.raises(ValueError, match="every"):
        DriftMonitor(calibration(units), 51.0).restore(one.state())
