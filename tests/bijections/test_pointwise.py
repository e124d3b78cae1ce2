"""Layers that act on single samples: their data-dependent starts, and the gates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqflow.bijections import ActNorm, Bijection, Chain, ChannelMix, Gate, Standardize

GATES = ("piecewise", "slog", "asinh", "sqrt", "cauchy", "boxcox", "l2")


def windows() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([2.0, 1e-3, 300.0]).view(1, 3, 1)
    return scale * torch.randn(50, 3, 40, generator=generator) + 3.0 * scale


@pytest.mark.parametrize("make", [ActNorm, Standardize])
def test_starts_with_zero_mean_and_unit_deviation(make: type[Standardize]) -> None:
    layer = make(3)
    y = layer.initialize(windows())
    assert y.mean(dim=(0, 2)).abs().max() < 1e-4
    assert (y.std(dim=(0, 2), correction=0) - 1.0).abs().max() < 1e-4


@pytest.mark.parametrize("make", [ActNorm, Standardize])
def test_a_channel_that_never_moves_keeps_its_scale(make: type[Standardize]) -> None:
    x = torch.full((4, 1, 10), 7.0)
    layer = make(1)
    assert layer.initialize(x).tolist() == torch.zeros(4, 1, 10).tolist()
    assert layer(x)[1].tolist() == [0.0] * 4


def test_a_chain_starts_each_layer_on_what_reaches_it() -> None:
    chain = Chain([Standardize(3), ActNorm(3)])
    chain.initialize(windows())
    second = list(chain)[1]
    assert isinstance(second, ActNorm)
    assert second.log_scale.abs().max() < 1e-4
    assert second.shift.abs().max() < 1e-4


def test_standardize_learns_nothing() -> None:
    assert list(Standardize(2).parameters()) == []
    with pytest.raises(ValueError, match="positive"):
        Standardize(2, floor=0.0)


@pytest.mark.parametrize("reverse", [True, False])
def test_channel_mix_is_its_matrix(reverse: bool) -> None:
    layer = ChannelMix(4, reverse).double()
    x = torch.randn(2, 4, 5, dtype=torch.float64)
    assert torch.equal(layer(x)[0], x.flip(1) if reverse else x)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    y, log_det = layer(x)
    assert torch.allclose(y, torch.einsum("ij,bjt->bit", layer.matrix(), x), atol=1e-13)
    assert torch.allclose(log_det, 5 * torch.linalg.slogdet(layer.matrix())[1], atol=1e-12)


@pytest.mark.parametrize("kind", GATES)
def test_gates_rise_and_pass_through_their_own_inverse(kind: str) -> None:
    gate = Gate(1, kind).double()  # type: ignore[arg-type]
    torch.nn.init.constant_(gate.raw, 0.8)
    x = torch.linspace(-20, 20, 401, dtype=torch.float64).view(1, 1, -1)
    y, _ = gate(x)
    assert (y.diff() > 0).all()
    assert (gate.inverse(y)[0] - x).abs().max() < 1e-9


@pytest.mark.parametrize("kind", GATES[1:])
def test_compressing_gates_compress_for_either_sign_of_the_parameter(kind: str) -> None:
    x = torch.linspace(-5, 5, 11, dtype=torch.float64).view(1, 1, -1)
    outputs = []
    for sign in (-1.0, 1.0):
        gate = Gate(1, kind).double()  # type: ignore[arg-type]
        torch.nn.init.constant_(gate.raw[:, 0], sign)
        y, _ = gate(x)
        assert (y.abs() <= x.abs()).all()
        outputs.append(y)
    assert torch.equal(*outputs)


@pytest.mark.parametrize("kind", GATES)
def test_a_gate_can_leave_the_identity(kind: str) -> None:
    gate = Gate(1, kind).double()  # type: ignore[arg-type]
    x = 3.0 * torch.randn(1, 1, 50, dtype=torch.float64)
    y, log_det = gate(x)
    (0.5 * y.square().sum() - log_det.sum()).backward()
    assert gate.raw.grad is not None
    assert gate.raw.grad.isfinite().all()
    assert gate.raw.grad[:, 0].abs().max() > 1e-3


def test_the_piecewise_gate_has_linear_tails_and_bounded_slopes() -> None:
    gate = Gate(1, knots=5, bound=2.0, strength=1.5).double()
    torch.nn.init.normal_(gate.raw, std=10.0)
    x = torch.tensor([1e3, 1e4, 1e5, -1e3, -1e4, -1e5], dtype=torch.float64).view(1, 1, -1)
    y, _ = gate(x)
    slope = y.diff() / x.diff()
    assert abs(slope[0, 0, 0] - slope[0, 0, 1]) < 1e-9
    assert abs(slope[0, 0, 3] - slope[0, 0, 4]) < 1e-9
    inner = torch.linspace(-4, 4, 2001, dtype=torch.float64).view(1, 1, -1)
    _, share = gate.local(inner)
    assert share.abs().max() <= 1.5 + 1e-12


def test_gates_refuse_what_they_cannot_do() -> None:
    with pytest.raises(ValueError, match="gate must be"):
        Gate(1, "relu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="knots"):
        Gate(1, knots=1)


def test_shares_of_single_sample_layers_are_exact() -> None:
    gate = Gate(2).double()
    torch.nn.init.normal_(gate.raw)
    chain: Bijection = Chain([gate, ChannelMix(2).double(), ActNorm(2).double()])
    x = torch.randn(1, 2, 6, dtype=torch.float64)
    step = torch.zeros_like(x)
    step[..., 3] = 1.0
    before, after = chain.local(x)[1], chain.local(x + step)[1]
    changed = (before - after).abs()[0] > 1e-9
    assert changed.tolist() == [False, False, False, True, False, False]
