"""The transforms: their values, their gradients of every order, and the tables they share."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seqflow.ops.causal import causal_conv
from seqflow.ops.circular import circular_conv
from seqflow.ops.dct import dct2, dct3, fold, from_pairs, to_pairs, unfold
from seqflow.ops.fourier import fast_size, fourier_filter
from seqflow.ops.symmetric import symmetric_conv
from seqflow.ops.tables import remembered

LENGTHS = [1, 2, 3, 8, 9]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(x: Tensor, *response: Tensor) -> Tensor:
    gain = response[0] if len(response) == 1 else torch.polar(response[0].exp(), response[1])
    return torch.fft.irfft(torch.fft.rfft(x) * gain, n=x.shape[-1])


def responses(n: int, batch: tuple[int, ...]) -> list[tuple[Tensor, ...]]:
    size = (*batch, 2, n // 2 + 1)
    complex_one = normal(*size, dtype=torch.complex128)
    return [(complex_one,), (complex_one.real.clone(),), (complex_one.real.clone(), complex_one.imag.clone())]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_filters_and_their_gradients_of_two_orders(n: int, batch: tuple[int, ...]) -> None:
    for response in responses(n, batch):
        leaves = [t.clone().requires_grad_() for t in (normal(3, 2, n), *response)]
        torch.testing.assert_close(fourier_filter(*leaves), plain(*leaves))
        assert torch.autograd.gradcheck(fourier_filter, leaves)
        assert torch.autograd.gradgradcheck(fourier_filter, leaves)
        with torch.no_grad():
            torch.testing.assert_close(fourier_filter(*leaves), plain(*leaves))


def test_only_wanted_gradients() -> None:
    for response in responses(8, ()):
        x = normal(3, 2, 8).requires_grad_()
        torch.testing.assert_close(
            torch.autograd.grad(fourier_filter(x, *response).square().sum(), x),
            torch.autograd.grad(plain(x, *response).square().sum(), x),
        )
        leaves = [t.clone().requires_grad_() for t in response]
        torch.testing.assert_close(
            torch.autograd.grad(fourier_filter(x.detach(), *leaves).square().sum(), leaves),
            torch.autograd.grad(plain(x.detach(), *leaves).square().sum(), leaves),
        )


@pytest.mark.parametrize("n", LENGTHS)
def test_pairs_keep_the_norm_and_hold_the_transform(n: int) -> None:
    x = normal(2, n)
    pairs = to_pairs(x)
    torch.testing.assert_close(torch.view_as_real(pairs).square().sum((-1, -2)), x.square().sum(-1))
    torch.testing.assert_close(from_pairs(pairs, n), x)
    middle = n / 2
    for k in range(1, n // 2 + 1):
        scale = 2**-0.5 if k == middle else 1.0
        torch.testing.assert_close(pairs[:, k].real, scale * dct2(x)[:, k])
        torch.testing.assert_close(pairs[:, k].imag, scale * dct2(x)[:, n - k])
    torch.testing.assert_close(unfold(fold(x)), x, rtol=0, atol=0)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("run", [dct2, dct3])
def test_cosine_transforms_are_differentiable_twice(n: int, run: type[Tensor]) -> None:
    x = normal(2, n).requires_grad_()
    assert torch.autograd.gradcheck(run, x)
    assert torch.autograd.gradgradcheck(run, x)


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_convolutions_are_differentiable_twice(n: int, batch: tuple[int, ...]) -> None:
    x = normal(2, 1, n).requires_grad_()
    spectrum = normal(*batch, 1, n // 2 + 1, dtype=torch.complex128).requires_grad_()
    real = normal(*batch, 1, n, seed=1).requires_grad_()
    assert torch.autograd.gradgradcheck(circular_conv, (x, spectrum))
    assert torch.autograd.gradgradcheck(causal_conv, (x, real))
    for boundary in ("half", "whole"):
        assert torch.autograd.gradgradcheck(lambda a, b, edge=boundary: symmetric_conv(a, b, edge), (x, real))


def test_nothing_given_is_changed_without_gradients() -> None:
    x, spectrum, real = normal(2, 1, 8), normal(1, 5, dtype=torch.complex128), normal(1, 8)
    before = [copy.deepcopy(t) for t in (x, spectrum, real)]
    with torch.no_grad():
        circular_conv(x, spectrum)
        symmetric_conv(x, real)
        causal_conv(x, real)
    assert all(torch.equal(a, b) for a, b in zip(before, (x, spectrum, real), strict=True))


@given(st.integers(1, 1 << 20))
def test_fast_sizes_are_even_close_and_smooth(size: int) -> None:
    fast = fast_size(size)
    assert fast >= size
    assert fast % 2 == 0
    assert fast <= max(1.2 * size, size + 64)
    for prime in (2, 3, 5):
        while fast % prime == 0:
            fast //= prime
    assert fast == 1


def test_tables_are_made_once_and_are_ordinary_tensors() -> None:
    made = []

    @remembered
    def table(size: int) -> Tensor:
        made.append(size)
        return torch.arange(size, dtype=torch.float64)

    with torch.inference_mode():
        first = table(3)
    assert table(3) is first
    assert made == [3]
    assert not first.is_inference()
    (normal(3).requires_grad_() * first).sum().backward()
    for size in range(100):
        table(size)
    assert table(3) is not first


def test_a_table_made_while_tracing_does_not_stay() -> None:
    @remembered
    def table(size: int) -> Tensor:
        return torch.ones(size)

    class Scale(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * table(4)

    exported = torch.export.export(Scale(), (torch.randn(4),)).module()
    assert type(table(4)) is Tensor
    assert torch.equal(exported(torch.arange(4.0)), torch.arange(4.0))
