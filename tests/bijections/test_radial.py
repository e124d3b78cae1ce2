"""The amplitude of a window: what is softened, what stays, and what silence does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import jacobian
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.bijections import Radial
from seqflow.shapes import Shape


def windows(batch: int, channels: int, length: int, spread: float = 3.0, seed: int = 0) -> torch.Tensor:
    """Noise (B, C, T) of very different amplitude and level."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(batch, channels, length) * torch.exp(spread * draw(batch, 1, 1)) + draw(batch, channels, 1)


@settings(max_examples=40, deadline=None)
@given(
    softening=st.floats(-0.9, 0.9),
    log_floor=st.floats(-4.0, 4.0),
    channels=st.integers(1, 3),
    length=st.integers(1, 9),
    over=st.sampled_from(["channel", "window"]),
    seed=st.integers(0, 1000),
)
def test_inverse_and_log_det(
    softening: float, log_floor: float, channels: int, length: int, over: str, seed: int
) -> None:
    radial = Radial(channels, softening, math.exp(log_floor), over).double()  # type: ignore[arg-type]
    x = windows(2, channels, length, seed=seed)
    y, log_det = radial(x)
    back, log_back = radial.inverse(y)
    torch.testing.assert_close(back, x, atol=1e-12, rtol=1e-11)
    torch.testing.assert_close(log_back, -log_det, atol=1e-10, rtol=1e-10)
    if length > 1:
        matrix, claimed = jacobian(radial, x[0], {})
        assert abs(torch.linalg.slogdet(matrix)[1] - claimed) <= 1e-9 * (1.0 + abs(claimed))


@pytest.mark.parametrize("length", [16, 17])
def test_it_is_the_shape_of_the_detector(length: int) -> None:
    """Up to the constant floor^p: the coefficients of `Shape`, and its log-determinant."""
    p, floor = 0.4, 0.1
    x = windows(5, 1, length)
    y, log_det = Radial(1, p, floor).double()(x)
    shape, plain = Shape(p, floor), Shape(0.0, floor)
    wanted = shape.coefficients(x[:, 0].numpy()) * floor**p
    np.testing.assert_allclose(plain.coefficients(y[:, 0].detach().numpy()), wanted, atol=1e-12)
    constant = (length - 1) * p * math.log(floor)
    found = log_det.detach().numpy()
    np.testing.assert_allclose(found, shape.log_det(x[:, 0].numpy()) + constant, atol=1e-10)
    torch.testing.assert_close(y.mean(-1), x.mean(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_silence_passes_and_stops_no_gradient(dtype: torch.dtype, way: str) -> None:
    radial = Radial(1, 0.5, 1e-3).to(dtype)
    loud = torch.linspace(-1.0, 1.0, 8, dtype=dtype)
    x = torch.stack([torch.zeros(8, dtype=dtype), torch.full((8,), 3.0, dtype=dtype), loud]).unsqueeze(1)
    x.requires_grad_()
    y, log_det = radial(x) if way == "forward" else radial.inverse(x)
    assert torch.equal(y[:2], x[:2])
    assert float(log_det[:2].detach().abs().max()) < 1e-12
    (y.square().sum() + log_det.sum()).backward()
    assert x.grad is not None and bool(x.grad.isfinite().all())
    assert all(bool(p.grad.isfinite().all()) for p in radial.parameters() if p.grad is not None)


def test_amplitudes_come_closer_and_keep_their_order() -> None:
    amplitudes = torch.logspace(-6, 6, 49, dtype=torch.float64)
    shape = torch.randn(1, 1, 32, dtype=torch.float64)
    x = amplitudes.reshape(-1, 1, 1) * (shape - shape.mean())
    for softening in (0.4, 0.9):
        y = Radial(1, softening, 0.1).double()(x)[0].detach()
        after = y.square().mean((1, 2)).sqrt()
        assert bool((after.diff() > 0).all())
        slope = float((after[-1] / after[-2]).log() / (amplitudes[-1] / amplitudes[-2]).log())
        assert slope == pytest.approx(1.0 - softening, abs=0.01)
        assert float(after[0] / x[0].square().mean().sqrt()) == pytest.approx(1.0, abs=1e-3)


def test_float32_round_trip() -> None:
    x = windows(64, 2, 300, spread=2.0).float()
    radial = Radial(2, 0.8, 0.1, trainable=False)
    y, log_det = radial(x)
    back, _ = radial.inverse(y)
    assert float(((back - x).abs().amax((1, 2)) / x.abs().amax((1, 2))).max()) < 1e-5
    wide = Radial(2, 0.8, 0.1, trainable=False).double()(x.double())[1]
    assert float(((log_det - wide) / wide.abs().clamp(min=1.0)).abs().max()) < 1e-5


def test_one_amplitude_for_all_channels() -> None:
    x = windows(4, 3, 20)
    ratio = Radial(3, 0.5, 0.1, "window").double()
    y, _ = ratio(x)
    gain = (y - y.mean(-1, keepdim=True)) / (x - x.mean(-1, keepdim=True))
    torch.testing.assert_close(gain, gain[:, :1, :1].expand_as(gain))


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match="softening"):
        Radial(1, 1.0)
    with pytest.raises(ValueError, match="floor"):
        Radial(1, floor=0.0)
    with pytest.raises(ValueError, match="over must be"):
        Radial(1, over="time")  # type: ignore[arg-type]
