"""Sequences carried on: they are those of the model, and the joins cannot be told from other places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import noise, small_flow

from seqflow.bijections import Chain, Whitening
from seqflow.distributions import Normal
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.generation import continue_sequences, join_excess


def gaussian_flow() -> Flow:
    """First-order noise with a correlation of 0.8, as a flow."""
    whitening = Whitening(1, 12)
    flow = Flow(Chain([whitening]), Normal(1), 1)
    flow.initialize(torch.from_numpy(np.stack([noise(i, 64) for i in range(400)])).float())
    return flow.eval()


def test_across_a_join_correlation_is_as_elsewhere() -> None:
    made = continue_sequences(gaussian_flow(), 200, 88, window=64, hop=24, steps=20)
    assert made.joins == (64,) and made.values.shape == (200, 1, 88)
    x = made.values[:, 0].astype(np.float64)
    for j in (*made.joins, 40):
        found = np.corrcoef(x[:, j - 1], x[:, j])[0, 1]
        # Four and a half deviations of a correlation of 200 pairs, and what the flow's fit may be off.
        assert found == pytest.approx(0.8, abs=4.5 * 0.36 / np.sqrt(200) + 0.02)
        assert x[:, j].std() == pytest.approx(1.0, abs=4.5 / np.sqrt(400) + 0.05)
    assert 0.6 < made.acceptance <= 1.0


def test_it_begins_as_a_window_does_and_has_seeds() -> None:
    flow = small_flow()
    arguments = {"window": 32, "hop": 10, "steps": 2}
    made = continue_sequences(flow, 2, 47, seed=1, step=0.25, **arguments)
    assert made.values.shape == (2, 1, 47) and made.joins == (32, 42)
    assert np.array_equal(made.values, np.round(made.values * 4.0) / 4.0)
    again = continue_sequences(flow, 2, 47, seed=1, step=0.25, **arguments)
    other = continue_sequences(flow, 2, 47, seed=2, step=0.25, **arguments)
    assert np.array_equal(made.values, again.values) and not np.array_equal(made.values, other.values)
    short = continue_sequences(flow, 2, 20, seed=1, **arguments)
    assert short.joins == () and short.acceptance == 1.0 and short.values.shape == (2, 1, 20)


@pytest.mark.parametrize("hop", [0, 32, 5000])
def test_hops_out_of_range(hop: int) -> None:
    with pytest.raises(UsageError, match="hops"):
        continue_sequences(small_flow(), 1, 100, window=32, hop=hop)


def test_windows_are_those_of_the_flow() -> None:
    with pytest.raises(UsageError, match="multiple of 2"):
        continue_sequences(small_flow(), 1, 100, window=33)


def test_pieces_that_do_not_belong_together_show() -> None:
    whole = np.stack([noise(i, 4096) for i in range(4)])
    joins = list(range(256, 4096, 256))
    found = join_excess(whole, joins)
    assert found.step < 1.6 and found.energy == pytest.approx(1.0, abs=0.25)
    broken = np.concatenate([np.stack([noise(100 * i + k, 256) for i in range(4)]) for k in range(16)], -1)
    found = join_excess(broken, joins)
    assert found.step > 1.2 and found.energy > 1.3
    clicks = whole.copy()
    clicks[..., joins] += 8.0
    found = join_excess(clicks, joins)
    assert found.step > 2.5 and found.energy > 2.5


def test_joins_need_their_surroundings() -> None:
    with pytest.raises(ValueError, match="64 samples"):
        join_excess(noise(0, 200)[None], [10])
