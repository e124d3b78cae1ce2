"""Dither: uniform, uncorrelated, and addressed by position."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.ops.dither import uniform_at


@given(start=st.integers(0, 2**40), offset=st.integers(0, 50), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_same_sample_gets_the_same_noise(start: int, offset: int, seed: int) -> None:
    whole = uniform_at(torch.tensor([start]), 2, 100, seed)
    part = uniform_at(torch.tensor([start + offset]), 2, 50, seed)
    assert torch.equal(whole[..., offset : offset + 50], part)


def test_noise_is_uniform_and_white() -> None:
    u = uniform_at(torch.tensor([0, 10**12]), 2, 200_000, seed=5, dtype=torch.float64).reshape(4, -1)
    assert u.min() >= 0 and u.max() < 1
    counts = torch.stack([torch.histc(row, 100, 0, 1) for row in u])
    assert (counts / 2000 - 1).abs().max() < 0.12
    centred = u - 0.5
    assert (centred[:, 1:] * centred[:, :-1]).mean(-1).abs().max() < 5 / 12 / 200_000**0.5
    assert (torch.corrcoef(u) - torch.eye(4)).abs().max() < 5 / 200_000**0.5
