"""Areas against their definition over all pairs and all thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.metrics import pr_area, roc_area


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_areas_are_their_definitions(seed: int, n: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.3
    labels[:2] = True, False
    scores = np.round(rng.normal(size=n) + labels, decimals)
    high, low = scores[labels][:, None], scores[~labels]
    assert roc_area(scores, labels) == pytest.approx(((high > low) + 0.5 * (high == low)).mean())
    area = before = 0.0
    for threshold in sorted(set(scores), reverse=True):
        on = scores >= threshold
        recall = labels[on].sum() / labels.sum()
        area, before = area + (recall - before) * labels[on].mean(), recall
    assert pr_area(scores, labels) == pytest.approx(area)


def test_constant_scores_are_chance() -> None:
    labels = np.arange(10) < 3
    assert roc_area(np.full(10, 7.0), labels) == 0.5
    assert pr_area(np.full(10, 7.0), labels) == pytest.approx(0.3)
