"""Cepstra: the two ways to their spectra agree, and kernels end where they are said to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqflow.ops import cepstrum as cepstra
from seqflow.ops.causal import causal_conv, causal_filter
from seqflow.ops.cepstrum import (
    causal_cepstral_spectrum,
    causal_kernel,
    circular_spectrum,
    kernel_reach,
    limit,
    mirrored_response,
    paired_response,
    symmetric_response,
)
from seqflow.ops.symmetric import mirrored_conv, paired_conv, symmetric_conv


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("length", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("leading", [(2,), (3, 2)])
def test_tables_and_transforms_agree(
    length: int, leading: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    two_sided, one_sided = 0.2 * normal(*leading, 9), 0.2 * normal(*leading, 7, seed=1)

    def all_of_them() -> list[Tensor]:
        return [
            circular_spectrum(two_sided, length),
            symmetric_response(one_sided, length),
            paired_response(one_sided, length),
            *causal_cepstral_spectrum(one_sided, length, 3.0),
            *([symmetric_response(one_sided, length, "whole")] if length > 1 else []),
        ]

    by_table = all_of_them()
    monkeypatch.setattr(cepstra, "_TABLE_LAGS", 0)
    for a, b in zip(by_table, all_of_them(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@given(taps=st.integers(1, 12), bound=st.floats(0.05, 8.0), spread=st.floats(0.0, 1.0), double=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_kernel_goes_beyond_its_reach(taps: int, bound: float, spread: float, double: bool) -> None:
    dtype = torch.float64 if double else torch.float32
    reach = kernel_reach(taps, bound, dtype)
    # All of the bound at the last lag goes furthest; `spread` moves some of it to the others. Positive taps
    # bound the kernels of all signs, and n h_n = sum_k k c_k h_{n-k} then loses no digits.
    c = np.full(taps, bound * spread / taps)
    c[-1] += bound * (1.0 - spread)
    h = np.zeros(reach + 6 * taps + 8)
    h[0] = np.exp(c[0])
    for n in range(1, len(h)):
        k = np.arange(1, min(n, taps - 1) + 1)
        h[n] = (k * c[k] * h[n - k]).sum() / n
    assert h[reach + 1 :].sum() <= 0.5 * torch.finfo(dtype).eps * np.exp(-bound)


@pytest.mark.parametrize("length", [1, 8, 9, 200])
@pytest.mark.parametrize("taps", [1, 5])
def test_silence_is_as_good_as_the_power_series(length: int, taps: int) -> None:
    c = limit(normal(2, taps), 0.8)
    x = normal(3, 2, length, seed=1)
    short = causal_filter(x, *causal_cepstral_spectrum(c, length, 0.8))
    exact = causal_filter(x, *causal_cepstral_spectrum(c, length))
    torch.testing.assert_close(short, exact, rtol=0, atol=1e-13)
    torch.testing.assert_close(exact, causal_conv(x, causal_kernel(c, length)), rtol=0, atol=1e-13)


def test_a_long_reach_falls_back_on_the_power_series() -> None:
    c = limit(normal(1, 400), 7.0)
    assert kernel_reach(400, 7.0, torch.float64) > 4096
    (spectrum,) = causal_cepstral_spectrum(c, 50, 7.0)
    assert torch.equal(spectrum, causal_cepstral_spectrum(c, 50)[0])
    assert spectrum.shape[-1] < 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [2, 3, 40, 1021, 1024])
def test_mirrors_as_far_as_the_kernel_reaches_are_enough(length: int, dtype: torch.dtype) -> None:
    c = limit(normal(2, 6), 0.5, symmetric=True).to(dtype)
    x = normal(3, 2, length, seed=1).to(dtype)
    response = mirrored_response(c, length, 0.5)
    if length > 1000:
        assert response.shape[-1] < 0.8 * length
    exact = symmetric_conv(x.double(), symmetric_response(c.double(), length, "whole"), "whole")
    accuracy = 1e-13 if dtype == torch.float64 else 3e-6
    torch.testing.assert_close(mirrored_conv(x, response).double(), exact, rtol=0, atol=accuracy)
    if length == 40:
        assert mirrored_response(c, length).shape[-1] == 40


@pytest.mark.parametrize("length", [1, 2, 8, 9])
def test_paired_responses_are_the_natural_ones_in_another_order(length: int) -> None:
    c, x = 0.3 * normal(2, 5), normal(3, 2, length, seed=1)
    expected = symmetric_conv(x, symmetric_response(c, length))
    torch.testing.assert_close(paired_conv(x, paired_response(c, length)), expected)


@pytest.mark.parametrize("length", [1, 4, 9])
def test_gradients_to_the_cepstrum(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    two_sided, one_sided = (0.3 * normal(2, 5)).requires_grad_(), (0.3 * normal(2, 3)).requires_grad_()
    for limit_of_tables in (64, 0):
        monkeypatch.setattr(cepstra, "_TABLE_LAGS", limit_of_tables)
        for run, leaf in (
            (lambda c: circular_spectrum(c, length), two_sided),
            (lambda c: paired_response(c, length), one_sided),
            (lambda c: causal_cepstral_spectrum(c, length, 2.0), one_sided),
            (lambda c: causal_cepstral_spectrum(c, length), one_sided),
        ):
            assert torch.autograd.gradcheck(run, leaf)
    assert torch.autograd.gradgradcheck(lambda c: circular_spectrum(c, length), two_sided)
