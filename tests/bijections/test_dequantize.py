"""Dequantisation: the lattice comes back, and the noise belongs to the sample."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from seqflow.bijections import Dequantize


def codes(batch: int, length: int, limit: int = 1 << 15) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-limit, limit, (batch, 1, length), generator=generator)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [True, False])
def test_pcm16_comes_back_exactly(dtype: torch.dtype, training: bool) -> None:
    step = 2.0**-15
    layer = Dequantize(step).train(training)
    x = codes(4, 50_000).to(dtype) * step
    y, log_det = layer(x)
    assert y.dtype == dtype
    assert ((y >= x) & (y < x + step)).all()
    assert torch.equal(layer.inverse(y)[0], x)
    assert log_det.tolist() == [0.0] * 4


def test_a_step_that_is_no_binary_fraction_comes_back() -> None:
    layer = Dequantize(0.1).eval()
    x = 0.1 * codes(2, 20_000).double()
    assert (layer.inverse(layer(x)[0])[0] - x).abs().max() < 1e-9


def test_rounding_in_the_flow_is_forgiven() -> None:
    layer = Dequantize(1.0).eval()
    x = codes(1, 100_000).double()
    y, _ = layer(x)
    for error in (-5e-7, 5e-7):
        assert torch.equal(layer.inverse(y + error)[0], x)


def test_the_step_of_the_context_goes_first_and_zero_means_none() -> None:
    x = codes(3, 100, limit=8).double()
    context = {"step": torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)}
    layer = Dequantize(5.0).eval()
    y, _ = layer(2.0 * x, context)
    assert (y[0] - 2.0 * x[0]).max() < 1.0 < (y[2] - 2.0 * x[2]).max()
    assert torch.equal(y[1], 2.0 * x[1])
    assert torch.equal(layer.inverse(y, context)[0], 2.0 * x)


def test_no_step_is_the_identity() -> None:
    x = torch.randn(2, 1, 10)
    assert torch.equal(Dequantize()(x)[0], x)
    assert torch.equal(Dequantize().inverse(x)[0], x)
    assert torch.equal(Dequantize(0.0)(x, {"step": torch.zeros(2)})[0], x)


def test_in_evaluation_the_noise_belongs_to_the_sample() -> None:
    layer = Dequantize(1.0, seed=7).eval()
    x = torch.zeros(1, 2, 100, dtype=torch.float64)
    whole, _ = layer(x, {"position": torch.tensor([0])})
    parts, _ = layer(x[..., :40].expand(2, -1, -1), {"position": torch.tensor([10, 60])})
    assert torch.equal(parts[0], whole[0, :, 10:50])
    assert torch.equal(parts[1], whole[0, :, 60:])
    assert torch.equal(layer(x)[0], whole)
    assert not torch.equal(whole[0, 0], whole[0, 1])
    assert not torch.equal(Dequantize(1.0, seed=8).eval()(x)[0], whole)
    assert 0.3 < whole.mean() < 0.7


def test_in_training_the_noise_belongs_to_the_dither_of_the_window() -> None:
    layer = Dequantize(1.0, seed=7).train()
    x = torch.zeros(4, 2, 5000, dtype=torch.float64)
    context = {
        "dither": torch.tensor([5, 1 << 61, 17 << 40, 0]),
        "position": torch.zeros(4, dtype=torch.int64),
    }
    whole = layer(x, context)[0]
    for index in range(4):
        alone = {key: value[index : index + 1] for key, value in context.items()}
        assert torch.equal(layer(x[:1], alone)[0][0], whole[index])
    assert abs(float(whole.mean()) - 0.5) < 0.01 and abs(float(whole.var()) - 1 / 12) < 0.002
    between = torch.corrcoef(whole.reshape(8, -1)) - torch.eye(8)
    assert float(between.abs().max()) < 0.07
    # What an evaluation takes is another matter.
    assert not torch.equal(layer.eval()(x, context)[0][1], whole[1])


def test_in_training_without_a_dither_the_noise_is_drawn() -> None:
    layer = Dequantize(1.0).train()
    x = torch.zeros(1, 1, 100)
    torch.manual_seed(0)
    first = layer(x)[0]
    assert not torch.equal(layer(x)[0], first)
    torch.manual_seed(0)
    assert torch.equal(layer(x)[0], first)


def test_gradients_pass_unchanged() -> None:
    for step in (0.5, 0.0):
        x = torch.randn(2, 1, 10, dtype=torch.float64, requires_grad=True)
        y, _ = Dequantize()(x, {"step": torch.full((2,), step, dtype=torch.float64)})
        y.sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad, torch.ones_like(x))


def test_refuses_a_negative_step() -> None:
    with pytest.raises(ValueError, match="negative"):
        Dequantize(-1.0)
