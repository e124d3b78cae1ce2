"""Drawn sequences: of the model's distribution, each of its own seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm
from toys import toy_model

from seqflow.bijections import Chain, Dequantize, Standardize
from seqflow.distributions import Normal
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.sampling import MOST_BEYOND, MOST_DRAWS, draw, draw_batches


def scaled(mean: float, deviation: float) -> Flow:
    """Independent normal samples."""
    standardize = Standardize(1)
    standardize.mean.fill_(mean)
    standardize.scale.fill_(deviation)
    return Flow(Chain([Dequantize(), standardize]), Normal(1), 1).eval()


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_they_have_the_moments_of_the_model(temperature: float) -> None:
    (drawn,) = draw(scaled(3.0, 2.0), 1, 40_000, temperature=temperature)
    assert drawn.values.mean().item() == pytest.approx(3.0, abs=0.05)
    assert drawn.values.std().item() == pytest.approx(2.0 * temperature, rel=0.02, abs=1e-6)


def test_they_lie_on_the_lattice_of_the_step() -> None:
    (drawn,) = draw(scaled(0.0, 1.0), 1, 1000, step=0.25)
    assert torch.equal(drawn.values, torch.round(drawn.values * 4) / 4)
    (free,) = draw(scaled(0.0, 1.0), 1, 1000)
    assert not torch.equal(free.values, torch.round(free.values * 4) / 4)


def test_each_has_a_seed_of_its_own() -> None:
    flow = toy_model().flow
    few = [drawn.values for drawn in draw(flow, 2, 64, seed=1)]
    many = [drawn.values for drawn in draw(flow, 3, 64, seed=1)]
    other = [drawn.values for drawn in draw(flow, 2, 64, seed=2)]
    assert all(torch.equal(one, same) for one, same in zip(few, many, strict=False))
    assert not torch.equal(few[0], few[1]) and not torch.equal(few[0], other[0])


@pytest.mark.parametrize("length", [1, 63, 64, 129])
def test_any_length(length: int) -> None:
    (drawn,) = draw(toy_model().flow, 1, length)
    assert drawn.values.shape == (1, length) and drawn.redrawn == 0


def test_arguments_are_checked_before_anything_is_drawn() -> None:
    flow = scaled(0.0, 1.0)
    for arguments in ({"n": 0, "length": 1}, {"n": 1, "length": 0}):
        with pytest.raises(UsageError, match="at least 1"):
            draw(flow, **arguments)
    for temperature in (-0.1, 11.0, float("nan")):
        with pytest.raises(UsageError, match="temperature"):
            draw(flow, 1, 1, temperature=temperature)
    with pytest.raises(UsageError, match="seed"):
        draw(flow, 1, 1, seed=1 << 63)


def test_batches_are_the_same_sequences_for_every_size() -> None:
    flow = toy_model().flow
    alone = torch.stack([drawn.values for drawn in draw(flow, 5, 100, seed=3)])
    for batch in (1, 2, 8):
        parts = list(draw_batches(flow, 5, 100, batch=batch, seed=3))
        assert [len(part.values) for part in parts] == [min(batch, 5 - at) for at in range(0, 5, batch)]
        assert torch.allclose(torch.cat([part.values for part in parts]), alone, atol=1e-6)


def test_batches_hold_what_is_not_finite_too() -> None:
    flow = scaled(0.0, 1.0)
    flow.bijection.layers[1].scale.fill_(float("inf"))
    (part,) = draw_batches(flow, 3, 10, batch=4)
    assert part.values.shape == (3, 1, 10) and not torch.isfinite(part.values).any()
    assert part.redrawn.tolist() == [MOST_DRAWS] * 3
    for arguments in ({"batch": 0}, {"batch": 1, "temperature": 11.0}):
        with pytest.raises(UsageError):
            draw_batches(flow, 1, 10, **arguments)


def test_what_leaves_the_range_is_drawn_again() -> None:
    """What is kept is distributed as the flow given that it stays: here normal numbers, one at a time."""
    flow = scaled(0.0, 1.0)
    kept = list(draw(flow, 4000, 1, limit=1.0, seed=5))
    values = np.array([one.values.item() for one in kept])
    assert np.abs(values).max() <= 1.0
    assert kstest(values, truncnorm(-1.0, 1.0).cdf).pvalue > 0.01
    # Of normal numbers 31.7% are beyond 1: draws thrown away for one kept.
    assert np.mean([one.beyond for one in kept]) == pytest.approx(0.317 / 0.683, abs=0.05)
    batches = list(draw_batches(flow, 400, 1, limit=1.0, seed=5, batch=64))
    assert np.allclose(np.concatenate([one.values.numpy() for one in batches]).ravel(), values[:400])
    assert np.concatenate([one.beyond for one in batches]).tolist() == [one.beyond for one in kept[:400]]


def test_what_always_leaves_the_range_is_kept_in_the_end() -> None:
    flow = scaled(50.0, 1.0)
    (one,) = draw(flow, 1, 8, limit=1.0)
    (batch,) = draw_batches(flow, 1, 8, limit=1.0, batch=1)
    assert one.beyond == batch.beyond[0] == MOST_BEYOND and one.redrawn == 0
    assert torch.isfinite(one.values).all() and torch.allclose(one.values, batch.values[0])
