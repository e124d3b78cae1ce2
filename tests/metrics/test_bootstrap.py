"""Intervals against scipy, theory, and their coverage; groups as units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from seqflow.metrics import bootstrap, bootstrap_mean, paired_bootstrap


def test_is_the_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).exponential(size=60)
    own = bootstrap_mean(values, level=0.9, draws=20_000, seed=1)
    peer = stats.bootstrap((values,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile")
    assert own.mean == pytest.approx(values.mean())
    spread = own.high - own.low
    assert own.low == pytest.approx(peer.confidence_interval.low, abs=0.04 * spread)
    assert own.high == pytest.approx(peer.confidence_interval.high, abs=0.04 * spread)


def test_intervals_cover_the_mean() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for seed in range(200):
        interval = bootstrap_mean(rng.normal(size=40), draws=400, seed=seed)
        inside += interval.low <= 0.0 <= interval.high
    assert 0.88 <= inside / 200 <= 0.985


def test_pairs_take_away_what_series_share(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    second = rng.random(50)
    first = second + 0.02 + 0.01 * rng.normal(size=50)
    interval = paired_bootstrap(first, second)
    assert interval.low > 0.01
    assert interval.high < 0.03
    assert interval.units == 50
    assert interval == paired_bootstrap(first, second, seed=0)
    assert interval != paired_bootstrap(first, second, seed=1)
    other = paired_bootstrap(second, first)
    assert (other.mean, other.low) == pytest.approx((-interval.mean, -interval.high))
    assert interval == bootstrap_mean(first - second)
    # The size of the blocks is no part of the result.
    monkeypatch.setattr(bootstrap, "_BLOCK", 1000)
    assert interval == pytest.approx(paired_bootstrap(first, second), abs=1e-15)


def test_copies_in_one_group_are_one_unit() -> None:
    values = np.random.default_rng(4).random(12)
    copies = np.repeat(values, np.arange(1, 13))
    groups = [f"trace {index}" for index in np.repeat(np.arange(12), np.arange(1, 13))]
    grouped = bootstrap_mean(copies, groups=groups)
    assert grouped == pytest.approx(bootstrap_mean(values))
    assert grouped.units == 12
    naive = bootstrap_mean(copies)
    assert naive.high - naive.low < grouped.high - grouped.low


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second": [0.0, 1.0]}, "must hold the same series"),
        ({"first": [1.0, np.nan, 2.0]}, "values: 1 of 3 are not finite"),
        ({"first": [1.0], "second": [0.0]}, "an interval needs 2 units or more, got 1"),
        ({"first": [], "second": []}, "an interval needs 2 units or more, got 0"),
        ({"groups": ["a", "a", "a"]}, "an interval needs 2 units or more, got 1"),
        ({"groups": ["a", "b"]}, "groups: must have one entry a series, 3, got 2"),
        ({"level": 1.0}, "level: must lie between 0 and 1"),
        ({"draws": 0}, "draws: must be 1 or more"),
        ({"first": [[1.0], [2.0]], "second": [[0.0], [0.0]]}, "one-dimensional"),
    ],
)
def test_what_has_no_interval(change: dict[str, Any], message: str) -> None:
    given = {"first": [1.0, 2.0, 3.0], "second": [0.0, 0.5, 1.0], **change}
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(**given)
