"""Volumes against the values of the reference implementation, against the definition, and their laws."""

from __future__ import annotations

import itertools
import json
import os
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from seqflow.metrics import pr_area, range_areas, roc_area, runs, vus

DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase + "-_"
# Scores as ranks, one or two digits of base 64 each: only their order matters.
CASES = json.loads((Path(__file__).parent / "vus_cases.json").read_text())
SHARED = os.environ.get("SEQFLOW_SHARED")


def agrees(case: dict[str, Any], scores: NDArray[Any]) -> None:
    labels = np.zeros(len(scores), dtype=int)
    for first, last in case["label_runs"]:
        labels[first : last + 1] = 1
    volume = vus(scores, labels, case["window"])
    found = [*volume, roc_area(scores, labels), pr_area(scores, labels)]
    expected = [case[key] for key in ("vus_roc", "vus_pr", "auc_roc", "auc_pr")]
    assert np.abs(np.subtract(found, expected)).max() < 1e-12


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"L={case['window']}")
def test_values_of_the_reference_implementation(case: dict[str, Any]) -> None:
    digits = np.array([DIGITS.index(digit) for digit in case["ranks"]]).reshape(-1, case["digits"])
    agrees(case, digits @ 64 ** np.arange(case["digits"])[::-1])


if SHARED:

    @pytest.mark.shared
    def test_all_values_of_the_reference_implementation() -> None:
        cases = json.loads((Path(str(SHARED)) / "oracle" / "vus_cases.json").read_text())
        assert len(cases) >= len(CASES)
        for case in cases:
            agrees(case, np.array(case["score"]))


def by_definition(scores: NDArray[Any], labels: NDArray[Any], window: int) -> tuple[list[float], list[float]]:
    """The module's formulae, point by point and threshold by threshold."""
    n, half = len(scores), window // 2
    events = [(start, stop - 1) for start, stop in runs(labels).tolist()]
    extended = np.zeros(n)
    for t in range(n):
        gaps = [max(s - t, t - e, 0) for s, e in events]
        near = [gap for gap in gaps if 0 < gap <= half]
        extended[t] = 1.0 if labels[t] else min(1.0, sum((1 - gap / window) ** 0.5 for gap in near))
    ranges = [[events[0][0] - half, events[0][1] + half]]
    for s, e in events[1:]:
        if s - half <= ranges[-1][1]:
            ranges[-1][1] = e + half
        else:
            ranges.append([s - half, e + half])
    falling = sorted(scores, reverse=True)
    curve = [(0.0, 0.0, 1.0)]
    for place in np.linspace(0, n - 1, 250).astype(int):
        on = scores >= falling[place]
        found = (extended * on).sum()
        positives = labels.sum() + (found - (labels * on).sum()) / 2
        touched = sum(on[max(s, 0) : e + 1].any() for s, e in ranges) / len(ranges)
        recall = min(1.0, found / positives) * touched
        curve.append((recall, (on.sum() - found) / (n - positives), found / on.sum()))
    steps = list(itertools.pairwise(curve))
    pr = sum((b[0] - a[0]) * b[2] for a, b in steps)
    steps.append((curve[-1], (1.0, 1.0, 0.0)))
    return sum((b[1] - a[1]) * (a[0] + b[0]) / 2 for a, b in steps), pr


@st.composite
def series(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any]]:
    """Few events far apart, or many close together; continuous scores, or few levels of them."""
    n = draw(st.integers(2, 40))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.05, 0.2, 0.5, 0.8]))
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < share).astype(int)
    if draw(st.booleans()):
        labels = np.repeat(labels, 3)[:n]
    labels[rng.integers(n)] = 1
    if labels.all():
        labels[rng.integers(n)] = 0
    scores = rng.normal(size=n) + labels
    return (np.round(scores, draw(st.integers(0, 1))) if draw(st.booleans()) else scores), labels


@given(series(), st.integers(0, 11))
@settings(max_examples=60, deadline=None)
@example((np.array([0.3, 0.1, 0.2, 0.9]), np.array([0, 1, 0, 0])), 11)  # a buffer longer than the series
@example((np.array([0.3, 0.1, 0.2, 0.9, 0.5]), np.array([1, 0, 0, 0, 1])), 3)  # events at both ends
@example((np.ones(7), np.array([0, 0, 1, 0, 0, 1, 0])), 4)  # constant scores
@example((np.arange(9.0), np.array([0, 1, 0, 1, 0, 1, 0, 0, 1])), 8)  # ranges that join one after the other
def test_is_its_definition(case: tuple[NDArray[Any], NDArray[Any]], window: int) -> None:
    scores, labels = case
    areas = range_areas(scores, labels, window)
    expected = [by_definition(scores, labels, w) for w in range(window + 1)]
    assert np.abs(np.stack(areas, axis=1) - np.array(expected)).max() < 1e-12
    assert np.allclose(vus(scores, labels, window), np.mean(expected, axis=0), atol=1e-12)


def long_series(seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    labels = np.zeros(3000, dtype=bool)
    for start, width in zip(rng.integers(0, 3000, 25), rng.integers(1, 40, 25), strict=True):
        labels[start : start + width] = True
    return rng.normal(size=3000) + 2.0 * labels, labels


def test_only_the_order_of_scores_matters() -> None:
    scores, labels = long_series(0)
    expected = vus(scores, labels, 60)
    assert vus(np.exp(scores / 2) - 5, labels, 60) == expected
    assert vus(scores.argsort().argsort(), labels, 60) == expected
    assert vus(-scores, labels, 60) != expected


def test_time_runs_either_way() -> None:
    # With all scores different no threshold is shared, and mirrored windows are the same windows.
    scores, labels = long_series(1)
    assert np.allclose(
        range_areas(scores, labels, 90), range_areas(scores[::-1], labels[::-1], 90), atol=1e-12
    )


def test_labels_of_any_type_and_scores_at_the_ends() -> None:
    scores, labels = long_series(2)
    assert vus(scores, labels, 20) == vus(scores, labels.astype(float), 20)
    best = vus(labels, labels, 0)
    assert best == pytest.approx((1.0, 1.0))
    worst = vus(~labels, labels, 0)
    assert worst.roc == pytest.approx(0.0)
    constant = vus(np.zeros(3000), labels, 0)
    assert constant == pytest.approx((0.5, labels.mean()))


@pytest.mark.parametrize("measure", [roc_area, pr_area, lambda scores, labels: vus(scores, labels, 3)])
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1, 2, 3], [0, 0, 0], "labels: no anomalous point"),
        ([1, 2, 3], [1, 1, 1], "labels: every point is anomalous"),
        ([1, np.nan, np.inf], [0, 1, 0], "scores: 2 of 3 are not finite, the first at point 1"),
        ([1, 2, 3], [0, 1], "equally long, got 3 and 2"),
        ([1, 2, 3], [0, 1, 2], "labels: must be 0"),
        ([1, 2, 3], [0, 1, np.nan], "labels: must be 0"),
        ([], [], "no point at all"),
        ([[1, 2]], [[0, 1]], "one-dimensional, got 2 and 2"),
    ],
)
def test_what_cannot_be_judged(measure: Any, scores: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        measure(scores, labels)
    assert "\n" not in str(caught.value)


def test_negative_windows() -> None:
    with pytest.raises(ValueError, match="window: must be 0 points or more, got -1"):
        vus([1, 2], [0, 1], -1)
