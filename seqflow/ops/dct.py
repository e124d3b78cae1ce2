"""Orthonormal discrete cosine transforms over the last axis, by real FFTs of the same length.

Conventions of scipy.fft with norm="ortho". DCT-II and DCT-III are inverse to each other and use the
permutation of J. Makhoul, "A fast cosine transform in one and two dimensions", 1980, backwards in time.
All of them are differentiable any number of times.

Pairs: the FFT gives the DCT-II as complex numbers A_k = X_k + i X_{N-k}, k = 0 .. F - 1, F = N // 2 + 1
(A_0 = X_0; even N: A_{N/2} = X_{N/2}·(1 + i)/sqrt 2). What acts on each X_k alone can act on the pairs, and
the passes that bring them into order are saved.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .fourier import bin_weights
from .tables import remembered


def fold(x: Tensor) -> Tensor:
    """The order [x0, x1, x3, x5, ..., x4, x2] over the last axis."""
    middle = x.shape[-1] // 2 + 1
    v = torch.empty_like(x)
    v[..., 0] = x[..., 0]
    v[..., 1:middle] = x[..., 1::2]
    v[..., middle:] = x[..., 2::2].flip(-1)
    return v


def unfold(v: Tensor) -> Tensor:
    """Inverse of `fold`."""
    middle = v.shape[-1] // 2 + 1
    x = torch.empty_like(v)
    x[..., 0] = v[..., 0]
    x[..., 1::2] = v[..., 1:middle]
    x[..., 2::2] = v[..., middle:].flip(-1)
    return x


@remembered
def _turns(length: int, device: torch.device, dtype: torch.dtype, back: bool) -> Tensor:
    """e^{i pi k / 2N}·sqrt(m_k / N) for k = 0 .. N // 2, or its reciprocal, computed in float64."""
    angle = torch.arange(length // 2 + 1, dtype=torch.float64) * (math.pi / (2 * length))
    turns = torch.polar((bin_weights(length, dtype=torch.float64) / length).sqrt(), angle)
    turns = turns.reciprocal() if back else turns
    return turns.to(device=device, dtype=torch.complex128 if dtype == torch.float64 else torch.complex64)


def analysis(x: Tensor) -> Tensor:
    """`to_pairs` without gradients."""
    pairs: Tensor = torch.fft.rfft(fold(x)).mul_(_turns(x.shape[-1], x.device, x.dtype, False))
    return pairs


def synthesis(pairs: Tensor, length: int) -> Tensor:
    """`from_pairs` without gradients; uses up the pairs."""
    turns = _turns(length, pairs.device, pairs.real.dtype, True)
    return unfold(torch.fft.irfft(pairs.mul_(turns), n=length))


class _ToPairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.length = x.shape[-1]
        return analysis(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # An isometry: its transpose undoes it.
        return from_pairs(grad, ctx.length)


class _FromPairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pairs: Tensor, length: int) -> Tensor:
        return synthesis(pairs.clone(), length)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return to_pairs(grad), None


def to_pairs(x: Tensor) -> Tensor:
    """DCT-II of x (..., N) in complex pairs (..., F); keeps the norm."""
    pairs: Tensor = _ToPairs.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return pairs


def from_pairs(pairs: Tensor, length: int) -> Tensor:
    """The x (..., N) with `to_pairs(x)` = pairs (..., F); N is `length`."""
    x: Tensor = _FromPairs.apply(pairs, length)  # type: ignore[no-untyped-call, unused-ignore]
    return x


class _Dct2(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = x.shape[-1]
        pairs = analysis(x)
        transform = torch.empty_like(x)
        transform[..., : length // 2 + 1] = pairs.real
        transform[..., length // 2 + 1 :] = pairs.imag[..., 1 : (length + 1) // 2].flip(-1)
        if length % 2 == 0:
            transform[..., length // 2] *= math.sqrt(2.0)
        return transform

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return dct3(grad)


class _Dct3(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = x.shape[-1]
        real = x.new_empty(*x.shape[:-1], length // 2 + 1, 2)
        real[..., 0] = x[..., : length // 2 + 1]
        real[..., 0, 1] = 0.0
        real[..., 1:, 1] = x[..., (length + 1) // 2 :].flip(-1)
        if length % 2 == 0:
            real[..., -1, :] *= math.sqrt(0.5)
        return synthesis(torch.view_as_complex(real), length)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return dct2(grad)


def dct2(x: Tensor) -> Tensor:
    """Orthonormal DCT-II over the last axis: X_k = s_k sum_n x_n cos(pi k (2n + 1) / 2N).

    s_0 = sqrt(1/N), s_k = sqrt(2/N). Any N >= 1.
    """
    transform: Tensor = _Dct2.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return transform


def dct3(x: Tensor) -> Tensor:
    """Orthonormal DCT-III over the last axis: the inverse, and the transpose, of `dct2`."""
    transform: Tensor = _Dct3.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return transform
