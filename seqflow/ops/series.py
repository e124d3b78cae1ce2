"""Arithmetic of truncated power series, by FFT: what causal convolutions are made of.

A series a_0 + a_1 z + ... is a tensor (..., L). Computed in float64 whatever the input: Newton's iterations
double the number of right terms each round, O(L log L) in all. Source: R. Brent and H. T. Kung, 1978.
"""

from __future__ import annotations

import torch
from torch import Tensor


def series_product(a: Tensor, b: Tensor, length: int) -> Tensor:
    """First `length` terms of a·b."""
    size = a.shape[-1] + b.shape[-1] - 1
    fft = 1 << max(size - 1, 0).bit_length()
    product = torch.fft.irfft(torch.fft.rfft(a, n=fft) * torch.fft.rfft(b, n=fft), n=fft)
    return _resize(product[..., :size], length)


def series_inverse(a: Tensor, length: int) -> Tensor:
    """First `length` terms of 1/a; a_0 must not be 0. Dtype of a."""
    wide = a.double()
    inverse = wide[..., :1].reciprocal()
    terms = 1
    while terms < length:
        terms = min(2 * terms, length)
        error = series_product(_resize(wide, terms), inverse, terms)
        inverse = 2.0 * _resize(inverse, terms) - series_product(inverse, error, terms)
    return inverse.to(a.dtype)


def series_exp(a: Tensor, length: int) -> Tensor:
    """First `length` terms of exp(a), by h <- h·(1 + a - log h). Dtype of a."""
    wide = _resize(a.double(), length)
    start = wide[..., :1]
    rest = torch.cat((torch.ones_like(start), wide[..., 1:]), -1)  # 1 + a without its constant
    h = torch.ones_like(start)
    terms = 1
    while terms < length:
        terms = min(2 * terms, length)
        h = series_product(h, rest[..., :terms] - _log(_resize(h, terms)), terms)
    return (h * start.exp()).to(a.dtype)


def _log(h: Tensor) -> Tensor:
    """Series of log h for h_0 = 1, as long as h: the integral of h'/h."""
    n = torch.arange(1, h.shape[-1], device=h.device, dtype=h.dtype)
    slope = series_product(h[..., 1:] * n, series_inverse(h, h.shape[-1]), h.shape[-1] - 1)
    return torch.cat((torch.zeros_like(h[..., :1]), slope / n), -1)


def _resize(a: Tensor, length: int) -> Tensor:
    """Cut or zero-pad the last axis."""
    if a.shape[-1] >= length:
        return a[..., :length]
    return torch.nn.functional.pad(a, (0, length - a.shape[-1]))
