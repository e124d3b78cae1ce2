"""Convolutions and gates against independent computations: scipy, explicit padding, numerical integration."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.signal
import torch

from seqflow.ops import gates
from seqflow.ops.causal import causal_conv, causal_conv_inverse, causal_conv_stream, causal_log_det
from seqflow.ops.cepstrum import (
    causal_cepstral_log_det,
    causal_kernel,
    circular_cepstral_log_det,
    circular_spectrum,
    limit,
    symmetric_cepstral_log_det,
    symmetric_response,
)
from seqflow.ops.circular import circular_conv, circular_conv_inverse, circular_log_det
from seqflow.ops.dct import dct2, dct3
from seqflow.ops.symmetric import (
    kernel_to_response,
    symmetric_conv,
    symmetric_conv_inverse,
    symmetric_log_det,
)

LENGTHS = [2, 3, 8, 9, 12, 17]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("n", [1, *LENGTHS])
def test_cosine_transforms_are_scipys(n: int) -> None:
    x = normal(2, 3, n)
    np.testing.assert_allclose(dct2(x), scipy.fft.dct(x.numpy(), type=2, norm="ortho"), atol=1e-12)
    np.testing.assert_allclose(dct3(x), scipy.fft.dct(x.numpy(), type=3, norm="ortho"), atol=1e-12)


@pytest.mark.parametrize("n", [1, *LENGTHS])
def test_circular_is_a_circulant_matrix(n: int) -> None:
    x, kernel = normal(4, 2, n), normal(2, n, seed=1)
    spectrum = torch.fft.rfft(kernel)
    y = circular_conv(x, spectrum)
    matrices = [scipy.linalg.circulant(k) for k in kernel.numpy()]
    expected = np.stack([x[:, c].numpy() @ m.T for c, m in enumerate(matrices)], 1)
    np.testing.assert_allclose(y, expected, atol=1e-11)
    np.testing.assert_allclose(circular_conv_inverse(y, spectrum), x, atol=1e-9)
    log_det = sum(np.linalg.slogdet(m)[1] for m in matrices)
    assert circular_log_det(spectrum, n).item() == pytest.approx(log_det, abs=1e-9)


@pytest.mark.parametrize("boundary", ["half", "whole"])
@pytest.mark.parametrize("n", LENGTHS)
def test_symmetric_is_padding_and_convolution(n: int, boundary: str) -> None:
    x = normal(1, 1, n)
    kernel = 0.3 * normal(1, n + 1 if boundary == "half" else n, seed=2)
    kernel[:, 0] = 2.0
    kernel[:, -1] = 0.0
    response = kernel_to_response(kernel, boundary)
    y = symmetric_conv(x, response, boundary)
    reach = kernel.shape[-1] - 1
    two_sided = np.concatenate([kernel[0].numpy()[:0:-1], kernel[0].numpy()])
    padded = np.pad(x[0, 0].numpy(), reach, mode="symmetric" if boundary == "half" else "reflect")
    np.testing.assert_allclose(y[0, 0], np.convolve(padded, two_sided, mode="valid"), atol=1e-11)
    np.testing.assert_allclose(symmetric_conv_inverse(y, response, boundary), x, atol=1e-8)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: symmetric_conv(v.view(1, 1, -1), response, boundary).flatten(), x.flatten()
    )
    expected = torch.linalg.slogdet(jacobian)[1].item()
    assert symmetric_log_det(response).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [1, *LENGTHS])
def test_causal_is_a_filter(n: int) -> None:
    x, kernel = normal(3, 2, n), 0.4 * normal(2, 5, seed=3)
    kernel[:, 0] = 1.5
    y = causal_conv(x, kernel)
    expected = np.stack(
        [scipy.signal.lfilter(kernel[c].numpy(), [1.0], x[:, c].numpy()) for c in range(2)], 1
    )
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(causal_conv_inverse(y, kernel), x, atol=1e-8)
    assert causal_log_det(kernel, n).item() == pytest.approx(2 * n * np.log(1.5))


def test_a_stream_in_blocks_equals_the_whole() -> None:
    x, kernel = normal(2, 3, 50), normal(3, 7, seed=4)
    state, parts = torch.zeros(2, 3, 6, dtype=torch.float64), []
    for block in x.split([1, 4, 20, 3, 22], dim=-1):
        y, state = causal_conv_stream(block, kernel, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, -1), causal_conv(x, kernel))


@pytest.mark.parametrize("taps", [1, 3, 20])
@pytest.mark.parametrize("n", [1, *LENGTHS])
def test_cepstra_agree_with_their_spectra(n: int, taps: int) -> None:
    c = 0.2 * normal(2, taps, seed=5)
    two_sided = 0.2 * normal(2, 2 * taps - 1, seed=6)
    spectrum = circular_spectrum(two_sided, n)
    torch.testing.assert_close(circular_cepstral_log_det(two_sided, n), circular_log_det(spectrum, n))
    for boundary in ("half", "whole") if n > 1 else ("half",):
        response = symmetric_response(c, n, boundary)
        k = torch.arange(n, dtype=torch.float64) * torch.pi / (n if boundary == "half" else n - 1)
        lags = torch.arange(1, taps, dtype=torch.float64)
        direct = c[:, :1] + 2 * c[:, 1:] @ torch.cos(lags[:, None] * k)
        torch.testing.assert_close(response, direct.exp())
        torch.testing.assert_close(symmetric_cepstral_log_det(c, n, boundary), symmetric_log_det(response))
    kernel = causal_kernel(c, n)
    torch.testing.assert_close(causal_cepstral_log_det(c, n), causal_log_det(kernel, n))
    # The power series of exp(c) from its differential equation: n h_n = sum_k k c_k h_{n-k}.
    h = np.zeros((2, n))
    h[:, 0] = np.exp(c[:, 0].numpy())
    for m in range(1, n):
        h[:, m] = sum(k * c[:, k].numpy() * h[:, m - k] for k in range(1, min(m, taps - 1) + 1)) / m
    np.testing.assert_allclose(kernel, h, atol=1e-12)


def test_the_budget_bounds_the_response() -> None:
    c = normal(5, 9, seed=7)
    assert symmetric_response(limit(c, 0.7, symmetric=True), 64).log().abs().max() <= 0.7 + 1e-12
    assert circular_spectrum(limit(c, 0.7), 64).abs().log().abs().max() <= 0.7 + 1e-12
    torch.testing.assert_close(limit(0.01 * c, 0.7), 0.01 * c)


RATE, POWER = torch.tensor(0.8, dtype=torch.float64), torch.tensor(1.7, dtype=torch.float64)
KNOTS = torch.linspace(-2.0, 2.0, 5, dtype=torch.float64)
SLOPES = torch.tensor([0.3, -0.7, 0.0, 0.0, -1.1], dtype=torch.float64)
GATES = {
    "slog": ((RATE,), lambda y: 0.8 * abs(y)),
    "asinh": ((RATE,), lambda y: np.log(np.cosh(np.sqrt(0.8) * y))),
    "sqrt": ((RATE,), lambda y: np.log1p(0.8 * abs(y))),
    "boxcox": ((RATE, POWER), lambda y: 1.7 * np.log1p(0.8 * abs(y))),
    "cauchy": ((RATE,), lambda y: np.log1p(0.8 * y**2)),
    "piecewise": ((KNOTS, SLOPES), lambda y: -np.interp(y, KNOTS.numpy(), SLOPES.numpy())),
}


@pytest.mark.parametrize("name", GATES)
def test_gates_are_the_integral_of_their_regulariser(name: str) -> None:
    parameters, phi = GATES[name]
    forward, inverse = getattr(gates, f"{name}_forward"), getattr(gates, f"{name}_inverse")
    y = torch.tensor([-5.0, -2.0, -0.9, -1e-5, 0.0, 1e-3, 0.4, 1.0, 2.5, 6.0], dtype=torch.float64)
    x, log_slope = inverse(y, *parameters)
    for value, expected in zip(y.tolist(), x.tolist(), strict=True):
        inside = [k for k in KNOTS.tolist() if min(0, value) < k < max(0, value)]
        integral = scipy.integrate.quad(lambda t: np.exp(phi(t)), 0, value, points=inside or None)[0]
        assert integral == pytest.approx(expected, abs=1e-9)
    np.testing.assert_allclose(log_slope, phi(y.numpy()), atol=1e-12)
    back, log_back = forward(x, *parameters)
    torch.testing.assert_close(back, y, atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(log_back, -log_slope, atol=1e-12, rtol=1e-12)
    points = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(forward(points, *parameters)[0].sum(), points)
    torch.testing.assert_close(slope.log(), log_back, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", ["slog", "asinh", "sqrt", "cauchy"])
def test_rate_zero_is_the_identity_with_a_gradient(name: str) -> None:
    a = torch.zeros((), dtype=torch.float64, requires_grad=True)
    x = torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    y, log_slope = getattr(gates, f"{name}_forward")(x, a)
    torch.testing.assert_close(y, x, atol=0, rtol=0)
    assert not log_slope.any()
    (slope,) = torch.autograd.grad(y.square().sum(), a)
    assert slope < -1.0
