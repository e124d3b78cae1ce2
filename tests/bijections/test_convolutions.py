"""The convolution layers against explicit convolution in numpy, and what their docstrings promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch
from cases import jacobian, perturb

from seqflow.bijections import Bijection, CausalConv, CircularConv, MultichannelConv, SymmetricConv

LENGTHS = [8, 9, 33]


@pytest.mark.parametrize("length", LENGTHS)
def test_circular_is_a_circular_convolution(length: int) -> None:
    layer = CircularConv(2, 3, budget=5.0).double()
    perturb(layer)
    x = torch.randn(2, 2, length, dtype=torch.float64)
    y, _ = layer(x)
    for c in range(2):
        lags = np.zeros(length)
        for n, value in zip(range(-2, 3), layer.cepstrum[c].detach().numpy(), strict=True):
            lags[n % length] += value
        kernel = np.fft.ifft(np.exp(np.fft.fft(lags))).real
        for b in range(2):
            expected = [
                sum(kernel[n] * x[b, c, (i - n) % length] for n in range(length)) for i in range(length)
            ]
            np.testing.assert_allclose(y[b, c].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_symmetric_scales_the_cosine_transform(length: int) -> None:
    layer = SymmetricConv(1, 4, budget=5.0).double()
    perturb(layer)
    x = torch.randn(1, 1, length, dtype=torch.float64)
    c = layer.cepstrum[0].detach().numpy()
    angle = np.pi * np.arange(length) / length
    response = np.exp(c[0] + 2.0 * sum(c[n] * np.cos(n * angle) for n in range(1, 4)))
    expected = scipy.fft.idct(response * scipy.fft.dct(x[0, 0].numpy()))
    np.testing.assert_allclose(layer(x)[0][0, 0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_causal_is_a_convolution_with_the_past(length: int) -> None:
    layer = CausalConv(1, 4, budget=5.0).double()
    perturb(layer)
    x = torch.randn(1, 1, length, dtype=torch.float64)
    c = np.zeros(4096)
    c[:4] = layer.cepstrum[0].detach().numpy()
    kernel = np.fft.ifft(np.exp(np.fft.fft(c))).real
    expected = np.convolve(x[0, 0].numpy(), kernel)[:length]
    np.testing.assert_allclose(layer(x)[0][0, 0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_no_sample_of_the_causal_layer_sees_a_later_one(length: int) -> None:
    layer = CausalConv(1, 6, budget=5.0).double()
    perturb(layer)
    matrix, _ = jacobian(layer, torch.randn(1, length, dtype=torch.float64), {})
    assert torch.triu(matrix, 1).abs().max() <= 1e-14
    assert (matrix.diagonal() - layer.cepstrum[0, 0].detach().exp()).abs().max() <= 1e-12


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircularConv(1, 4),
        lambda: SymmetricConv(1, 4),
        lambda: SymmetricConv(1, 4, "whole"),
        lambda: CausalConv(1, 4),
    ],
)
@pytest.mark.parametrize("length", [200, 257])
def test_windows_much_longer_than_the_kernel(make: type[CircularConv], length: int) -> None:
    layer: Bijection = make().double()  # type: ignore[call-arg]
    perturb(layer)
    x = torch.randn(1, length, dtype=torch.float64)
    matrix, log_det = jacobian(layer, x, {})
    assert abs(torch.linalg.slogdet(matrix)[1] - log_det) <= 1e-9
    with torch.no_grad():
        y, _ = layer(x.unsqueeze(0))
        assert (y[0, 0] - matrix @ x[0]).abs().max() <= 1e-12
        assert (layer.inverse(y)[0][0] - x).abs().max() <= 1e-12


@pytest.mark.parametrize("budget", [0.25, 1.0])
@pytest.mark.parametrize(
    "make",
    [
        lambda budget: CircularConv(1, 4, budget),
        lambda budget: SymmetricConv(1, 5, "half", budget),
        lambda budget: MultichannelConv(2, 3, budget),
    ],
)
def test_the_budget_bounds_every_singular_value(make: type[CircularConv], budget: float) -> None:
    layer: Bijection = make(budget).double()  # type: ignore[arg-type]
    perturb(layer, scale=3.0)
    channels = 2 if isinstance(layer, MultichannelConv) else 1
    matrix, _ = jacobian(layer, torch.randn(channels, 16, dtype=torch.float64), {})
    logs = torch.linalg.svdvals(matrix).log()
    assert logs.abs().max() <= budget + 1e-9
    assert logs.abs().max() > 0.2 * budget


def test_multichannel_with_diagonal_matrices_is_one_convolution_for_each_channel() -> None:
    taps = 0.05 * torch.randn(5, 2, dtype=torch.float64)
    several, single = MultichannelConv(2, 3, 2.0).double(), CircularConv(2, 3, 2.0).double()
    with torch.no_grad():
        several.cepstrum.copy_(torch.diag_embed(taps))
        single.cepstrum.copy_(taps.T)
    x = torch.randn(3, 2, 10, dtype=torch.float64)
    for a, b in zip(several(x), single(x), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


def test_multichannel_mixes_with_a_delay() -> None:
    layer = MultichannelConv(2, 2, budget=1.0).double()
    with torch.no_grad():
        layer.cepstrum[2, 1, 0] = 0.5  # lag +1, from channel 0 to channel 1; nilpotent, so exp(C) = 1 + C.
    x = torch.randn(1, 2, 7, dtype=torch.float64)
    y, log_det = layer(x)
    assert torch.allclose(y[0, 0], x[0, 0], atol=1e-12)
    assert torch.allclose(y[0, 1], x[0, 1] + 0.5 * x[0, 0].roll(1), atol=1e-12)
    assert log_det.abs().max() < 1e-12


def test_symmetric_and_circular_agree_away_from_the_ends() -> None:
    symmetric, circular = SymmetricConv(1, 4).double(), CircularConv(1, 4).double()
    c = torch.tensor([0.1, -0.1, 0.05, 0.02], dtype=torch.float64)
    with torch.no_grad():
        symmetric.cepstrum.copy_(c.unsqueeze(0))
        circular.cepstrum.copy_(torch.cat((c[1:].flip(0), c)).unsqueeze(0))
    x = torch.zeros(1, 1, 200, dtype=torch.float64)
    x[..., 90:110] = torch.randn(20, dtype=torch.float64)
    assert torch.allclose(symmetric(x)[0], circular(x)[0], atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircularConv(1, 0),
        lambda: CausalConv(1, 2, budget=0.0),
        lambda: MultichannelConv(1, 0),
        lambda: SymmetricConv(1, 2, "circular"),  # type: ignore[arg-type]
    ],
)
def test_refuses_what_it_cannot_do(make: type[CircularConv]) -> None:
    with pytest.raises(ValueError, match=r"tap|budget|half"):
        make()  # type: ignore[call-arg]
