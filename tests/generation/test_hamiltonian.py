"""The sampler's law: states have the density of the energy, whatever the force is."""

from __future__ import annotations

import pytest
import scipy.stats
import torch
from torch import Tensor

from seqflow.generation.hamiltonian import Walk, walk


def logistic(x: Tensor) -> Tensor:
    """-log density of independent standard logistic values, up to a constant."""
    return (x + 2.0 * torch.nn.functional.softplus(-x)).sum(1)


def run(n: int, factor: float = 1.0, steps: int = 60, start: float = 4.0) -> Walk:
    generators = [torch.Generator().manual_seed(i) for i in range(n)]
    first = torch.full((n, 3), start, dtype=torch.float64)
    return walk(
        logistic, lambda x: factor * torch.tanh(0.5 * x), first, generators, steps=steps, warm=20, leaps=8
    )


@pytest.mark.parametrize("factor", [1.0, 0.6])
def test_the_density_is_that_of_the_energy_even_where_the_force_is_wrong(factor: float) -> None:
    found = run(600, factor)
    for lane in found.state.T.numpy():
        assert scipy.stats.kstest(lane, "logistic").pvalue > 1e-3
    assert torch.allclose(found.potential, logistic(found.state))
    assert 0.6 < found.acceptance.mean() < 0.98


def test_a_chain_is_the_same_whatever_runs_beside_it() -> None:
    alone, many = run(2, steps=25), run(5, steps=25)
    torch.testing.assert_close(alone.state, many.state[:2], rtol=1e-12, atol=1e-12)
    assert torch.equal(alone.step, many.step[:2])


def test_where_the_density_ends_no_chain_goes() -> None:
    def walled(x: Tensor) -> Tensor:
        return torch.where((x < 0.0).any(1), torch.full_like(x[:, 0], float("nan")), x.sum(1))

    generators = [torch.Generator().manual_seed(i) for i in range(300)]
    start = torch.full((300, 1), 0.5, dtype=torch.float64)
    found = walk(walled, torch.ones_like, start, generators, steps=60, warm=20, leaps=8)
    assert bool((found.state >= 0.0).all())
    assert scipy.stats.kstest(found.state[:, 0].numpy(), "expon").pvalue > 1e-3
