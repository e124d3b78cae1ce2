"""The loss is the mean over real samples, whole or in parts."""

from __future__ import annotations

import math

import pytest
import torch
from cases import TinyConditioner, perturb
from torch import Tensor

from seqflow.bijections import AffineCoupling, Chain, Dequantize, Squeeze, Whitening
from seqflow.data.batch import Batch
from seqflow.distributions import Normal, StudentT
from seqflow.flow import Flow
from seqflow.objective import negative_log_likelihood, weigh


def small_flow(channels: int = 1) -> Flow:
    torch.manual_seed(0)
    inside = 2 * channels
    coupling = AffineCoupling(
        inside, TinyConditioner(channels, *AffineCoupling.parameter_counts(inside, swap=False)), swap=False
    )
    layers = Chain([Dequantize(), Whitening(channels, 4), Squeeze(2), coupling])
    perturb(layers, 0.1)
    return Flow(layers, StudentT(inside), channels).eval()


def make_batch(mask: Tensor, step: float = 0.0, channels: int = 1) -> Batch:
    torch.manual_seed(1)
    n, length = mask.shape
    x = torch.randn(n, channels, length) * mask.unsqueeze(1)
    return Batch(x, mask, torch.arange(n) * 7, torch.full((n,), step))


def test_whole_windows_give_the_mean_per_sample() -> None:
    flow = small_flow(2)
    batch = make_batch(torch.ones(5, 16, dtype=torch.bool), channels=2)
    loss = negative_log_likelihood(flow, batch)
    expected = -flow.log_prob(batch.x, batch.context()).mean() / (2 * 16)
    torch.testing.assert_close(loss.value, expected)
    assert loss.samples == 5 * 2 * 16
    assert loss.bits is None
    assert loss.value.requires_grad


def test_the_mask_leaves_out_what_it_covers() -> None:
    """Of an independent density, the masked loss is the plain mean over the real samples."""
    flow = Flow(Chain([]), Normal(1), 1)
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[0, 2:5] = False
    mask[2, 7] = False
    batch = make_batch(mask)
    batch.x[0, 0, 2:5] = 1e3
    loss = negative_log_likelihood(flow, batch)
    real = batch.x[:, 0][mask]
    expected = 0.5 * (real.square().mean() + math.log(2 * math.pi))
    assert loss.nats == pytest.approx(float(expected), rel=1e-6)
    assert loss.samples == 20


def test_bits_are_nats_less_the_log_of_the_step() -> None:
    flow = small_flow()
    batch = make_batch(torch.ones(3, 16, dtype=torch.bool), step=0.25)
    loss = negative_log_likelihood(flow, batch)
    assert loss.bits == pytest.approx(
        float(flow.bits_per_dim(batch.x, batch.context()).detach().mean()), rel=1e-5
    )
    batch.step[1] = 0.0
    assert negative_log_likelihood(flow, batch).bits is None


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_gradients_of_parts_add_up_to_those_of_the_whole(size: int) -> None:
    flow = small_flow().double()
    mask = torch.ones(5, 16, dtype=torch.bool)
    mask[1, 4:] = False
    mask[3] = False
    batch = make_batch(mask)
    batch = Batch(batch.x.double(), batch.mask, batch.position, batch.step)
    whole = negative_log_likelihood(flow, batch)
    expected = torch.autograd.grad(whole.value, list(flow.parameters()), allow_unused=True)
    flow.zero_grad()
    parts = []
    for part in batch.split(size):
        loss = negative_log_likelihood(flow, part)
        (loss.value * (loss.samples / whole.samples)).backward()
        parts.append(loss)
    for parameter, gradient in zip(flow.parameters(), expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)
    joined = weigh(parts)
    assert joined.nats == pytest.approx(whole.nats, rel=1e-12)
    assert joined.samples == whole.samples


def test_bits_of_parts_add_up() -> None:
    flow = small_flow()
    mask = torch.ones(4, 16, dtype=torch.bool)
    mask[0, 3:] = False
    batch = make_batch(mask, step=0.5)
    batch.step[2] = 0.125
    whole = negative_log_likelihood(flow, batch)
    joined = weigh([negative_log_likelihood(flow, part) for part in batch.split(3)])
    assert joined.bits == pytest.approx(whole.bits, rel=1e-5)
    batch.step[3] = 0.0
    assert weigh([negative_log_likelihood(flow, part) for part in batch.split(3)]).bits is None


def test_a_batch_without_a_real_sample_costs_nothing() -> None:
    loss = negative_log_likelihood(small_flow(), make_batch(torch.zeros(2, 16, dtype=torch.bool)))
    assert loss.nats == 0.0
    assert loss.samples == 0
    assert loss.bits is None
    assert weigh([loss]).nats == 0.0
