"""Areas of resampled recordings against areas computed draw by draw, and their coverage."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.metrics import roc_area, roc_area_draws, roc_bootstrap


def test_every_draw_is_the_area_of_its_recordings() -> None:
    rng = np.random.default_rng(0)
    # Whole numbers: with ties.
    clean, changed = rng.integers(0, 8, 20).astype(float), rng.integers(2, 12, 15).astype(float)
    source = rng.permutation(20)[:15]
    found = roc_area_draws(clean, changed, source, draws=50, seed=7)
    again = np.random.default_rng(7)
    for area in found:
        times = again.multinomial(20, np.full(20, 1 / 20))
        drawn = np.concatenate([np.repeat(clean, times), np.repeat(changed, times[source])])
        labels = np.repeat([0, 1], [times.sum(), times[source].sum()])
        assert area == pytest.approx(roc_area(drawn, labels))


def test_blocks_are_no_part_of_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random((2, 30))
    given = (values[0], values[1], np.arange(30))
    whole = roc_area_draws(*given, draws=100)
    monkeypatch.setattr(roc_bootstrap, "_BLOCK", 200)
    assert np.array_equal(roc_area_draws(*given, draws=100), whole)


def test_intervals_cover_the_area() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for seed in range(200):
        base = rng.standard_normal(60)
        # Copies keep half of what makes their recording differ: P(copy > another recording) is known.
        copies = 0.5 * base + np.sqrt(0.75) * rng.standard_normal(60) + 1.0
        low, high = np.quantile(
            roc_area_draws(base, copies, np.arange(60), draws=300, seed=seed), [0.025, 0.975]
        )
        inside += low <= 0.7602 <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_beyond_all_and_without_copies() -> None:
    clean = np.arange(5.0)
    assert np.all(roc_area_draws(clean, [np.inf, np.inf], [0, 1], draws=200)[:3] == 1.0)
    few = roc_area_draws(clean, [9.0], [0], draws=200)
    assert np.isnan(few).any() and np.all(few[~np.isnan(few)] == 1.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([1.0, 2.0], [3.0], [0, 1]), "must be \\(N,\\), \\(M,\\) and \\(M,\\)"),
        (([1.0], [3.0], [0]), "2 recordings or more, got 1"),
        (([1.0, np.nan], [3.0], [0]), "must not hold NaN"),
        (([1.0, 2.0], [3.0], [2]), "source: must lie in 0 .. 1"),
        (([1.0, 2.0], [3.0], [-1]), "source: must lie in 0 .. 1"),
    ],
)
def test_what_has_no_area(given: tuple[list[float], list[float], list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        roc_area_draws(*given)
