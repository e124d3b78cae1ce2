"""Couplings over the mixture of a window: they start as nothing, and likelihoods stay exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import jacobian, perturb
from gusts import gusts

from seqflow.shape_flow import Couplings
from seqflow.shapes import WindowModel


def windows(x: np.ndarray, length: int, count: int = 400) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(x, length)
    return np.asarray(view[np.linspace(0, len(view) - 1, count).astype(int)])


@pytest.fixture(scope="module")
def start() -> WindowModel:
    return WindowModel.fit(gusts(6_000), 16, components=8, examples=1_500)


def test_without_training_it_is_the_mixture(start: WindowModel) -> None:
    couplings = Couplings(start)
    x = gusts(500, seed=1)
    np.testing.assert_array_equal(couplings.gains(windows(x, 16)), np.zeros(400))
    # The same surprise, but for the level's share, a constant.
    difference = couplings.track(x) - start.track(x)
    assert np.ptp(difference) < 1e-4 * np.ptp(start.track(x))


def test_the_likelihood_is_exact(start: WindowModel) -> None:
    """A Jacobian and a numerical integral: no mass is lost on the way."""
    couplings = Couplings(start)
    perturb(couplings.flow.bijection, 0.1)
    flow = couplings.flow.double()
    x = torch.from_numpy(windows(gusts(300, seed=2), 16, 2)).unsqueeze(1)
    for item in x:
        matrix, log_det = jacobian(flow.bijection, item, {})
        assert abs(torch.linalg.slogdet(matrix)[1] - log_det) < 1e-9


def test_training_learns_what_a_mixture_cannot_hold(start: WindowModel) -> None:
    couplings = Couplings(start, seed=3)
    steps = couplings.train(windows(gusts(6_000), 16, 5_000), 100)
    assert steps == 100
    assert couplings.gains(windows(gusts(3_000, seed=5), 16)).mean() > 0.1


def test_training_stops_when_told_and_is_the_same_again(start: WindowModel) -> None:
    seen: list[int] = []

    def check(step: int) -> bool:
        seen.append(step)
        return len(seen) < 3

    x = windows(gusts(2_000), 16)
    first, second = Couplings(start, seed=4), Couplings(start, seed=4)
    assert first.train(x, 100, check, 10) == 30 and seen == [10, 20, 30]
    second.train(x, 30)
    for a, b in zip(first.flow.parameters(), second.flow.parameters(), strict=True):
        assert torch.equal(a, b)


def test_far_out_is_finite(start: WindowModel) -> None:
    couplings = Couplings(start)
    perturb(couplings.flow.bijection, 0.2)
    x = np.concatenate([np.zeros(100), np.full(50, 1e30), -1e30 * np.ones(50), np.zeros(100)])
    assert np.isfinite(couplings.track(x)).all()
