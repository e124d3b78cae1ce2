"""What a deep stack in float32 keeps, and that a flow can be exported."""

from __future__ import annotations

import pytest
import torch
from cases import coupling, perturb
from torch import Tensor

from seqflow.bijections import (
    AffineCoupling,
    Bijection,
    CausalConv,
    Chain,
    ChannelMix,
    CircularConv,
    ConvCoupling,
    Dequantize,
    Gate,
    Squeeze,
    Standardize,
    SymmetricConv,
    Whitening,
)
from seqflow.distributions import Normal
from seqflow.flow import Flow


def coloured(count: int, length: int) -> Tensor:
    """Noise (B, 1, T) whose spectrum falls by 80 dB from the lowest frequency to the highest."""
    generator = torch.Generator().manual_seed(5)
    bins = torch.fft.rfft(torch.randn(count, 1, length, dtype=torch.float64, generator=generator))
    fall = torch.logspace(0, -4, bins.shape[-1], dtype=torch.float64)
    x = torch.fft.irfft(bins * fall, n=length)
    return (0.1 * x / x.std()).float()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("boundary", ["circular", "symmetric"])
def test_a_stack_of_32_convolutions_in_float32(boundary: str, seed: int) -> None:
    torch.manual_seed(seed)
    layers: list[Bijection] = [Standardize(1), Whitening(1, 64, boundary)]  # type: ignore[arg-type]
    layers += [CircularConv(1, 8) if boundary == "circular" else SymmetricConv(1, 15) for _ in range(32)]
    stack = Chain(layers)
    x = coloured(2, 16384)
    with torch.no_grad():
        stack.initialize(x)
        for layer in layers[2:]:
            # Far beyond the budget, so that every layer is at it.
            perturb(layer, scale=0.3)
        back, _ = stack.inverse(stack(x)[0])
    assert (back - x).abs().max() <= 1e-4 * x.std()


def test_a_stack_of_32_couplings_in_float32() -> None:
    torch.manual_seed(0)
    layers: list[Bijection] = [Standardize(1), Whitening(1, 64), Squeeze(2)]
    for index in range(32):
        layers.append(coupling(ConvCoupling, 2, index % 2 == 1, budget=0.5, max_log_scale=0.5))
    stack = Chain(layers)
    x = coloured(1, 4096)
    with torch.no_grad():
        stack.initialize(x)
        perturb(stack, scale=0.05)
        back, _ = stack.inverse(stack(x)[0])
    assert (back - x).abs().max() <= 1e-3 * x.std()


def test_a_flow_can_be_exported() -> None:
    torch.manual_seed(0)
    layers: list[Bijection] = [
        Dequantize(),
        Standardize(1),
        Whitening(1, 8),
        CircularConv(1, 3),
        SymmetricConv(1, 3, "whole"),
        CausalConv(1, 3),
        Gate(1, "asinh"),
        Squeeze(2),
        coupling(ConvCoupling, 2, taps=3, gate="piecewise", boundary="symmetric"),
        ChannelMix(2),
        coupling(AffineCoupling, 2),
    ]
    flow = Flow(Chain(layers), Normal(2), 1).eval()
    perturb(flow, scale=0.1)
    x = torch.randn(3, 1, 64)
    context = {"step": torch.full((3,), 0.1), "position": torch.tensor([0, 5, 100])}
    with torch.no_grad():
        before = flow(x, context)
    sizes = {0: torch.export.Dim("batch", min=2, max=64)}
    exported = torch.export.export(
        flow, (x, context), dynamic_shapes=(sizes, {"step": sizes, "position": sizes})
    ).module()
    other = {"step": torch.rand(5), "position": torch.arange(5)}
    y = 2.0 * torch.randn(5, 1, 64)
    with torch.no_grad():
        assert torch.allclose(exported(x, context), before, rtol=1e-5, atol=1e-4)
        assert torch.allclose(exported(y, other), flow(y, other), rtol=1e-5, atol=1e-4)
        # Tracing leaves nothing behind in the tables and memories of the layers.
        assert torch.equal(flow(x, context), before)


def test_a_flow_can_be_exported_without_a_context() -> None:
    flow = Flow(Chain([Dequantize(), Whitening(1, 4), CircularConv(1, 2)]), Normal(1), 1).eval()
    perturb(flow, scale=0.1)
    x = torch.randn(2, 1, 30)
    exported = torch.export.export(flow, (x,)).module()
    assert torch.allclose(exported(2.0 * x), flow(2.0 * x), rtol=1e-5, atol=1e-4)
