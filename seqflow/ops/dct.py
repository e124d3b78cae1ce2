"""Orthonormal discrete cosine transforms over the last axis, by real FFTs of the same length.

Conventions of scipy.fft with norm="ortho". DCT-II and DCT-III are inverse to each other and use the
permutation of J. Makhoul, "A fast cosine transform in one and two dimensions", 1980.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor


def fold(x: Tensor) -> Tensor:
    """Makhoul's order: [x0, x2, x4, ..., x5, x3, x1] over the last axis."""
    return torch.cat((x[..., ::2], x[..., 1::2].flip(-1)), -1)


def unfold(v: Tensor) -> Tensor:
    """Inverse of `fold`."""
    half = (v.shape[-1] + 1) // 2
    x = torch.empty_like(v)
    x[..., ::2] = v[..., :half]
    x[..., 1::2] = v[..., half:].flip(-1)
    return x


@lru_cache(maxsize=32)
def quarter_turns(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """e^{-i pi k / 2N} for k = 0 .. N // 2, computed in float64. Do not change in place."""
    angle = torch.arange(length // 2 + 1, dtype=torch.float64) * (-math.pi / (2 * length))
    turns = torch.polar(torch.ones_like(angle), angle)
    return turns.to(device=device, dtype=torch.complex128 if dtype == torch.float64 else torch.complex64)


def _scale_ends(x: Tensor, factor: float) -> Tensor:
    """Copy of x with its first and last entries multiplied."""
    scaled = x.clone()
    scaled[..., 0] *= factor
    scaled[..., -1] *= factor
    return scaled


class _Dct2(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = x.shape[-1]
        bins = torch.fft.rfft(fold(x))
        # One in-place product with turns and scale: X_k = Re A_k, X_{N-k} = -Im A_k.
        bins.mul_(quarter_turns(length, x.device, x.dtype) * math.sqrt(2 / length))
        upper = bins.imag[..., 1 : (length + 1) // 2].flip(-1).neg_()
        out = torch.cat((bins.real, upper), -1)
        out[..., 0] *= math.sqrt(0.5)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return dct3(grad)


class _Dct3(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = x.shape[-1]
        turns = quarter_turns(length, x.device, x.dtype)
        bins = x.new_empty((*x.shape[:-1], length // 2 + 1), dtype=turns.dtype)
        parts = torch.view_as_real(bins)
        parts[..., 0] = x[..., : length // 2 + 1]
        parts[..., 1:, 1] = x[..., (length + 1) // 2 :].flip(-1)
        parts[..., 0, 1] = 0.0
        parts[..., 0, 0] *= math.sqrt(2.0)
        parts[..., 1:, 1].neg_()
        bins.mul_(turns.conj() * math.sqrt(length / 2))
        return unfold(torch.fft.irfft(bins, n=length))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return dct2(grad)


def dct2(x: Tensor) -> Tensor:
    """Orthonormal DCT-II over the last axis: X_k = s_k sum_n x_n cos(pi k (2n + 1) / 2N).

    s_0 = sqrt(1/N), s_k = sqrt(2/N). Any N >= 1; differentiable any number of times.
    """
    result: Tensor = _Dct2.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return result


def dct3(x: Tensor) -> Tensor:
    """Orthonormal DCT-III over the last axis: the inverse, and the transpose, of `dct2`."""
    result: Tensor = _Dct3.apply(x)  # type: ignore[no-untyped-call, unused-ignore]
    return result


def dct1(x: Tensor) -> Tensor:
    """Orthonormal DCT-I over the last axis; symmetric and its own inverse.

    Raises:
        ValueError: N < 2, where the transform is not defined.
    """
    length = x.shape[-1]
    if length < 2:
        raise ValueError(f"DCT-I needs at least 2 points, got {length}")
    weighted = _scale_ends(x, math.sqrt(2.0))
    bins = torch.fft.rfft(torch.cat((weighted, weighted[..., 1:-1].flip(-1)), -1)).real
    return _scale_ends(bins * math.sqrt(0.5 / (length - 1)), math.sqrt(0.5))
