"""Where in its recording a step lies."""

from __future__ import annotations

import math

import torch

from seqflow.ops.clock import clock


def test_windows_of_one_recording_join() -> None:
    like = torch.zeros(1, 1, 12, dtype=torch.float64)
    whole = clock(torch.tensor([[0.0, 1.0]]), 3, like)
    parts = [
        clock(torch.tensor([[a / 3, (a + 1) / 3]], dtype=torch.float64), 3, like[..., :4]) for a in range(3)
    ]
    assert torch.allclose(whole, torch.cat(parts, -1))
    place = (torch.arange(12) + 0.5) / 12
    assert torch.allclose(whole[0, 1], torch.cos(2 * math.pi * place).double())
    assert torch.allclose(whole[0, 3], torch.sin(math.pi * place).double())


def test_half_the_resolution_lies_between() -> None:
    span = torch.tensor([[0.2, 0.6]], dtype=torch.float64)
    fine = clock(span, 1, torch.zeros(1, 2, 1000, dtype=torch.float64))
    coarse = clock(span, 1, torch.zeros(1, 4, 500, dtype=torch.float64))
    assert torch.allclose(coarse, fine.unflatten(-1, (500, 2)).mean(-1), atol=1e-6)


def test_one_span_may_be_that_of_all() -> None:
    like = torch.zeros(3, 1, 7)
    each = clock(torch.tensor([[0.25, 1.0]]).expand(3, -1), 2, like)
    assert torch.equal(clock(torch.tensor([[0.25, 1.0]]), 2, like), each)
    assert torch.equal(clock(torch.tensor([[0, 1]]), 2, like), clock(torch.tensor([[0.0, 1.0]]), 2, like))


def test_unknown_places_are_zeros() -> None:
    like = torch.ones(2, 1, 5)
    assert torch.equal(clock(None, 2, like), torch.zeros(2, 4, 5))
    waves = clock(torch.tensor([[0.0, 0.0], [0.0, 1.0]]), 2, like)
    assert torch.equal(waves[0], torch.zeros(4, 5))
    assert waves[1].abs().max() > 0.5
    assert waves.dtype == like.dtype
