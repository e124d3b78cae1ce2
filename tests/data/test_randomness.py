"""Numbers and orders that depend on their index alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seqflow.data.augment import changes
from seqflow.data.randomness import permuted, uniform
from seqflow.recipe import AugmentConfig

SEEDS = st.integers(0, (1 << 63) - 1)


def order(seed: int, epoch: int, n: int) -> np.ndarray:
    return permuted(seed, np.full(n, epoch), np.arange(n), n)


@given(SEEDS, st.integers(0, 1 << 40), st.integers(1, 700))
def test_every_epoch_is_a_permutation(seed: int, epoch: int, n: int) -> None:
    assert sorted(order(seed, epoch, n)) == list(range(n))


@given(SEEDS, st.integers(2, 1 << 60), st.integers(0, 1 << 30))
def test_orders_of_any_length_stay_inside(seed: int, n: int, epoch: int) -> None:
    index = np.array(sorted({i * (n - 1) // 49 for i in range(50)}))
    found = permuted(seed, np.full(len(index), epoch), index, n)
    assert found.min() >= 0 and found.max() < n and len(set(found.tolist())) == len(index)


@given(SEEDS, st.integers(1, 12), st.data())
def test_one_at_a_time_is_the_same_as_all_at_once(seed: int, n: int, data: st.DataObject) -> None:
    epochs = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n, max_size=n)))
    index = np.arange(n)
    together = permuted(seed, epochs, index, n)
    single = [int(permuted(seed, epochs[i : i + 1], index[i : i + 1], n)[0]) for i in range(n)]
    assert together.tolist() == single


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {tuple(order(seed, epoch, 50)) for seed in range(4) for epoch in range(4)}
    assert len(orders) == 16


@pytest.mark.parametrize("n", [3, 5, 8, 13])
def test_every_place_is_as_likely(n: int) -> None:
    epochs = 4000
    where = permuted(7, np.repeat(np.arange(epochs), n), np.tile(np.arange(n), epochs), n)
    for column in where.reshape(epochs, n).T:
        assert stats.chisquare(np.bincount(column, minlength=n)).pvalue > 1e-5


def test_neighbours_are_torn_apart() -> None:
    n = 5000
    found = order(3, 0, n)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.05
    assert abs(np.corrcoef(found, np.arange(n))[0, 1]) < 0.05


def test_uniform_numbers_are_uniform_and_independent_between_streams() -> None:
    index = np.arange(20_000)
    one, other = uniform(5, 1, index), uniform(5, 2, index)
    assert stats.kstest(one, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.03
    assert not np.array_equal(one, uniform(6, 1, index))


def test_numbers_are_the_same_on_every_machine() -> None:
    # Written down once: a change would part every training from its resumption.
    assert order(11, 2, 8).tolist() == [2, 1, 6, 5, 3, 0, 7, 4]
    numbers = [0.2883742405650974, 0.09364458576807377, 0.28707123511028254]
    assert uniform(11, 1, np.array([0, 1, 1 << 40])).tolist() == numbers


@given(SEEDS, st.floats(-30, 30), st.floats(0, 20), st.integers(0, 1000))
def test_changes_stay_within_their_limits(seed: int, low: float, width: float, shift: int) -> None:
    config = AugmentConfig(gain_db=(low, low + width), polarity=True, shift=shift)
    found = changes(config, seed, np.arange(64))
    level = 20 * np.log10(np.abs(found.gain))
    assert (level >= low - 1e-9).all() and (level <= low + width + 1e-9).all()
    assert (np.abs(found.shift) <= shift).all()


def test_changes_take_all_values() -> None:
    found = changes(AugmentConfig(gain_db=(-6.0, 6.0), polarity=True, shift=2), 1, np.arange(4000))
    assert stats.kstest(20 * np.log10(np.abs(found.gain)), stats.uniform(-6, 12).cdf).pvalue > 1e-4
    assert abs((found.gain < 0).mean() - 0.5) < 0.05
    assert stats.chisquare(np.bincount(found.shift + 2, minlength=5)).pvalue > 1e-5


@pytest.mark.parametrize("config", [None, AugmentConfig()])
def test_nothing_changes_unless_asked_for(config: AugmentConfig | None) -> None:
    found = changes(config, 3, np.arange(10))
    assert (found.gain == 1.0).all() and (found.shift == 0).all()
