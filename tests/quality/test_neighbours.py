"""Copies are found as copies, at any place, gain and sign; new sequences are not."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.quality.neighbours import TrainingIndex, closer_than_held_out, nearest_rows


def test_distances_are_those_of_a_search_by_hand(rng: np.random.Generator) -> None:
    stretches = [rng.standard_normal((2, n)) + 5.0 for n in (60, 37, 20)]
    queries = rng.standard_normal((6, 2, 20))
    found = TrainingIndex(stretches, 20).distance(queries)
    for query, distance in zip(queries, found, strict=True):
        q = query - query.mean(axis=1, keepdims=True)
        best = 0.0
        for one in stretches:
            for start in range(one.shape[1] - 19):
                window = one[:, start : start + 20]
                window = window - window.mean(axis=1, keepdims=True)
                best = max(best, abs((q * window).sum()) / np.sqrt((q**2).sum() * (window**2).sum()))
        assert distance == pytest.approx(np.sqrt(1 - best**2), abs=1e-7)


def test_copies_have_no_distance_and_others_have(rng: np.random.Generator) -> None:
    stretches = [rng.standard_normal((1, n)) for n in (30_000, 9000)]
    index = TrainingIndex(stretches, 256)
    copies = np.stack(
        [
            stretches[0][:, 12_345:12_601],
            -3.0 * stretches[1][:, 8000:8256] + 2.0,
            1e-3 * stretches[0][:, -256:],
        ]
    )
    assert index.distance(copies).max() < 1e-5
    # What goes over from one stretch to the next was never there.
    torn = np.concatenate([stretches[0][:, -128:], stretches[1][:, :128]], axis=1)
    assert index.distance(torn[None])[0] > 0.5
    held_out, new = rng.standard_normal((2, 20, 1, 256))
    ratio = closer_than_held_out(index.distance(new), index.distance(held_out))
    assert ratio == pytest.approx(1.0, abs=0.03)
    noisy = copies[:1] + 0.1 * rng.standard_normal((20, 1, 256))
    assert closer_than_held_out(index.distance(noisy), index.distance(held_out)) < 0.2


def test_silence_is_near_nothing_and_has_no_distance(rng: np.random.Generator) -> None:
    silent = np.concatenate([np.full((1, 500), 0.25), 0.1 * rng.standard_normal((1, 500))], axis=1)
    index = TrainingIndex([silent], 64)
    distance = index.distance(np.stack([np.full((1, 64), 3.0), rng.standard_normal((1, 64))]))
    assert np.isnan(distance[0]) and 0.5 < distance[1] < 1.0


def test_without_a_stretch_that_is_long_enough() -> None:
    with pytest.raises(ValueError, match="64 samples in a row"):
        TrainingIndex([np.zeros((1, 63))], 64)


def test_nearest_rows_are_those_by_hand(rng: np.random.Generator) -> None:
    features, training = rng.standard_normal((300, 4)), rng.standard_normal((50, 4))
    wanted = np.sqrt(np.square(features[:, None] - training).sum(axis=2)).min(axis=1) / 2.0
    assert np.allclose(nearest_rows(features, training), wanted)


def test_ratios_without_distances() -> None:
    nothing = np.array([np.nan])
    assert np.isnan(closer_than_held_out(nothing, np.ones(2)))
    assert closer_than_held_out(np.zeros(2), np.zeros(2)) == 1.0
    assert closer_than_held_out(np.ones(2), np.zeros(2)) == np.inf
    assert closer_than_held_out(np.array([1.0, np.nan]), np.full(2, 4.0)) == 0.25
