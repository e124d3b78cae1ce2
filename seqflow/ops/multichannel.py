"""Circular convolution across channels: one matrix for each rfft bin, from a short matrix-valued cepstrum.

Shapes: x is (B, C, T); F = T // 2 + 1 bins; a cepstrum has one real C x C matrix for each lag -(K-1)..K-1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def matrix_log_spectrum(cepstrum: Tensor, length: int) -> Tensor:
    """Fourier transform of a matrix-valued cepstrum: (2K-1, C, C) real -> (F, C, C) complex.

    L(w_k) = sum_n C_n e^{-2 pi i k n / T}. Lags beyond T wrap around. Raises ValueError for an even number of
    lags.
    """
    lags = cepstrum.shape[0]
    if lags % 2 != 1:
        raise ValueError(f"a cepstrum has the lags -(K-1)..K-1, an odd number of them, got {lags}")
    lag = torch.arange(lags, device=cepstrum.device) - lags // 2
    bins = torch.arange(length // 2 + 1, device=cepstrum.device)
    # Whole turns are taken off in integers, so that long windows lose no digits.
    turns = torch.outer(bins, lag).remainder(length).double() / length
    angle = -2.0 * math.pi * turns
    real, imag = torch.cos(angle).to(cepstrum.dtype), torch.sin(angle).to(cepstrum.dtype)
    flat = cepstrum.flatten(1)
    size = (len(bins), *cepstrum.shape[1:])
    return torch.complex(real @ flat, imag @ flat).reshape(size)


def multichannel_conv(x: Tensor, spectrum: Tensor) -> Tensor:
    """y = irfft(A_k rfft(x)_k): x (B, C, T), spectrum (F, C, C) complex, real at DC and even-T Nyquist."""
    bins = torch.einsum("fij,bjf->bif", spectrum, torch.fft.rfft(x))
    y: Tensor = torch.fft.irfft(bins, n=x.shape[-1])
    return y


def matrix_cepstral_log_det(cepstrum: Tensor, length: int) -> Tensor:
    """log|det| of the convolution by exp(cepstrum): T times the trace of c_0, () nats.

    det exp(L) = exp(trace L), and the sum of e^{-2 pi i k n / T} over all bins is T where T divides n, else
    0: lags that are multiples of T count with lag 0.
    """
    lags = cepstrum.shape[0]
    lag = torch.arange(lags, device=cepstrum.device) - lags // 2
    counts = (lag.remainder(length) == 0).to(cepstrum.dtype)
    return length * (cepstrum.diagonal(dim1=1, dim2=2).sum(-1) * counts).sum()
