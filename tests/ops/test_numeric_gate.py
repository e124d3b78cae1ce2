"""Gates from any regulariser: against numerical integration, formulas, and their own gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqflow.ops import gates
from seqflow.ops.numeric_gate import Rule, l2_forward, l2_inverse, numeric_forward, numeric_inverse


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


RATE = tensor(0.8)[0]
PHIS: dict[str, tuple[Callable[..., Tensor], Callable[[float], float]]] = {
    "l2": (lambda y, a: a * y.square() / 2, lambda y: 0.4 * y * y),
    "quartic": (lambda y, a: a * y**4, lambda y: 0.8 * y**4),
    "lopsided": (lambda y, a: a * torch.sin(y) + y / 3, lambda y: 0.8 * np.sin(y) + y / 3),
    "expanding": (lambda y, a: -a * y.square() / (1 + y.square()), lambda y: -0.8 * y * y / (1 + y * y)),
}


@pytest.mark.parametrize("name", PHIS)
def test_the_gate_is_the_integral_of_its_regulariser(name: str) -> None:
    phi, plain = PHIS[name]
    y = tensor(-1.8, -1.0, -1e-6, 0.0, 1e-3, 0.7, 1.5)
    x, log_slope = numeric_inverse(y, phi, RATE)
    for value, expected in zip(y.tolist(), x.tolist(), strict=True):
        integral = scipy.integrate.quad(lambda t: np.exp(plain(t)), 0, value, epsabs=1e-13)[0]
        assert integral == pytest.approx(expected, abs=1e-11)
    np.testing.assert_allclose(log_slope, [plain(v) for v in y.tolist()], atol=1e-12)
    back, log_back = numeric_forward(x, phi, RATE)
    torch.testing.assert_close(back, y, atol=1e-13, rtol=1e-13)
    torch.testing.assert_close(log_back, -log_slope, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("rate", [1e-6, 0.3, 5.0])
def test_l2_is_a_scaled_erfi(rate: float) -> None:
    x = tensor(-1e6, -30.0, -1.0, -1e-5, 0.0, 1e-300, 1e-8, 0.5, 3.0, 1e3, 1e12)
    y, log_slope = l2_forward(x, torch.tensor(rate, dtype=torch.float64))
    expected = np.sqrt(np.pi / (2 * rate)) * scipy.special.erfi(y.numpy() * np.sqrt(rate / 2))
    np.testing.assert_allclose(expected, x, rtol=1e-12)
    np.testing.assert_allclose(log_slope, -rate * y.numpy() ** 2 / 2)


@pytest.mark.parametrize("name", ["slog", "cauchy"])
def test_agrees_with_the_formulas(name: str) -> None:
    phi = {"slog": lambda y, a: a * y.abs(), "cauchy": lambda y, a: torch.log1p(a * y.square())}[name]
    x = torch.linspace(-50, 50, 41, dtype=torch.float64)
    for ours, theirs in zip(
        numeric_forward(x, phi, RATE), getattr(gates, f"{name}_forward")(x, RATE), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", PHIS)
@pytest.mark.parametrize("run", [numeric_forward, numeric_inverse])
def test_gradients_are_those_of_the_implicit_function(run: Callable[..., Tensor], name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator).requires_grad_()
    rate = (0.2 + torch.rand(3, 1, dtype=torch.float64, generator=generator)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, rate: run(x, PHIS[name][0], rate), (x, rate))
    y, log_slope = run(x, PHIS[name][0], rate)
    (slope,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slope.log(), log_slope, atol=1e-10, rtol=0)


def test_second_derivatives_are_refused() -> None:
    x = tensor(0.5).requires_grad_()
    (slope,) = torch.autograd.grad(l2_forward(x, RATE)[0].square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.backward()


@given(x=st.floats(-1e9, 1e9), rate=st.floats(0.0, 20.0))
@settings(max_examples=60, deadline=None)
def test_l2_comes_back(x: float, rate: float) -> None:
    a = torch.tensor(rate, dtype=torch.float64)
    y, log_det = l2_forward(tensor(x), a)
    back, log_back = l2_inverse(y, a)
    torch.testing.assert_close(back, tensor(x), rtol=1e-10, atol=1e-300)
    assert log_det.item() == -log_back.item()


def test_float32_and_rate_zero() -> None:
    x = torch.linspace(-5, 5, 101)
    y, log_slope = l2_forward(x, torch.tensor(0.5))
    assert y.dtype == log_slope.dtype == torch.float32
    assert (l2_inverse(y, torch.tensor(0.5))[0] - x).abs().max() < 1e-5
    torch.testing.assert_close(l2_forward(x, torch.tensor(0.0))[0], x, atol=1e-6, rtol=0)


def test_more_nodes_for_steeper_regularisers() -> None:
    y = tensor(16.0)
    expected = np.sqrt(np.pi / 2) * scipy.special.erfi(16 / np.sqrt(2))
    wide = numeric_inverse(y, PHIS["l2"][0], tensor(1.0))[0].item() / expected - 1
    fine = numeric_inverse(y, PHIS["l2"][0], tensor(1.0), rule=Rule(panels=16))[0].item() / expected - 1
    assert abs(fine) < 1e-12 < abs(wide)


def test_a_gate_of_bounded_range_is_named() -> None:
    with pytest.raises(ValueError, match="bounded"):
        numeric_forward(tensor(3.0), lambda y: -y.square())
