"""The filter that changes from step to step: against its matrix, inverse across blocks, bounds."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from seqflow.ops.local_filter import bounded_taps, local_filter, local_filter_inverse


def matrix(taps: Tensor) -> Tensor:
    """The map of one channel as a matrix (T, T), entry by entry; taps (K, T)."""
    count, length = taps.shape
    rows = torch.eye(length, dtype=taps.dtype)
    for t in range(length):
        for lag in range(1, min(count, t) + 1):
            rows[t, t - lag] = taps[lag - 1, t]
    return rows


@pytest.mark.parametrize(("length", "count"), [(1, 3), (7, 1), (64, 5), (150, 9), (70, 80)])
def test_filter_and_inverse_are_those_of_the_matrix(length: int, count: int) -> None:
    generator = torch.Generator().manual_seed(length)
    x = torch.randn(2, 3, length, dtype=torch.float64, generator=generator)
    raw = torch.randn(2, 3, count, length, dtype=torch.float64, generator=generator)
    taps = bounded_taps(raw, 2.0)
    y = local_filter(x, taps)
    expected = torch.stack([torch.stack([matrix(taps[b, c]) @ x[b, c] for c in range(3)]) for b in range(2)])
    assert (y - expected).abs().max() < 1e-12
    assert (local_filter_inverse(y, taps) - x).abs().max() < 1e-12


def test_the_inverse_cannot_run_away() -> None:
    budget = 1.5
    raw = 50.0 * torch.randn(1, 1, 6, 120, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    taps = bounded_taps(raw, budget)
    forward = matrix(taps[0, 0])
    assert forward.abs().sum(1).max() <= 2.0
    gain = torch.linalg.inv(forward).abs().sum(1).max()
    assert 1.0 < gain <= math.exp(budget) + 1e-9


def test_small_taps_are_left_alone() -> None:
    raw = torch.full((1, 2, 3, 5), 0.1, dtype=torch.float64)
    assert torch.equal(bounded_taps(raw, 1.0), raw)
