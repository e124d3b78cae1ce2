"""Circular convolution as a product in the Fourier domain, with its exact log-determinant.

Shapes: B batch, C channels, T time steps, F = T // 2 + 1 rfft bins. A spectrum is (C, F), shared by the
batch, or (B, C, F), one for each example. Source: Karami et al., Invertible Convolutional Flow, 2019.

A real signal of length T has a real bin at zero frequency and, for even T, at the Nyquist frequency. The
imaginary part of the spectrum there can have no effect; every function below ignores it, so that
convolution, inverse and log-determinant always speak of the same map.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .fourier import bin_weights, fourier_filter


def check_bins(x: Tensor, spectrum: Tensor) -> None:
    """Raise ValueError where a spectrum (C, F) or (B, C, F) does not fit a signal (B, C, T)."""
    if x.dim() != 3 or x.shape[-1] < 1:
        raise ValueError(f"expected a signal (B, C, T) with T >= 1, got {tuple(x.shape)}")
    bins = x.shape[-1] // 2 + 1
    rows = (tuple(x.shape[1:2]), tuple(x.shape[:2]))
    if spectrum.shape[-1] != bins or tuple(spectrum.shape[:-1]) not in rows:
        raise ValueError(
            f"a spectrum for a signal {tuple(x.shape)} must be (C, {bins}) or (B, C, {bins}), "
            f"got {tuple(spectrum.shape)}"
        )


def real_ends(spectrum: Tensor, length: int) -> Tensor:
    """Copy of a spectrum (..., F) without the imaginary parts at DC and, for even lengths, at Nyquist."""
    ends = torch.ones(spectrum.shape[-1], device=spectrum.device, dtype=spectrum.real.dtype)
    ends[0] = 0.0
    if length % 2 == 0:
        ends[-1] = 0.0
    return torch.complex(spectrum.real, spectrum.imag * ends)


def circular_conv(x: Tensor, spectrum: Tensor) -> Tensor:
    """Circular convolution y = irfft(W * rfft(x), n=T).

    In time: y[i] = sum_n w[n] x[(i - n) mod T] with W = rfft(w, n=T).

    Args:
        x: real (B, C, T), any T >= 1; lengths with small prime factors are several times faster.
        spectrum: complex (C, F) shared, or (B, C, F) for each example; F = T // 2 + 1.

    Returns:
        (B, C, T).

    Raises:
        ValueError: the shapes do not fit.
    """
    check_bins(x, spectrum)
    return fourier_filter(x, spectrum)


def circular_conv_inverse(y: Tensor, spectrum: Tensor) -> Tensor:
    """The x with `circular_conv(x, spectrum)` = y: division of the bins. Shapes and errors as there.

    The error grows as max|W| / min|W|; a bin of exactly zero gives infinities.
    """
    check_bins(y, spectrum)
    return circular_conv(y, real_ends(spectrum, y.shape[-1]).reciprocal())


def circular_log_det(spectrum: Tensor, length: int) -> Tensor:
    """log|det| of circular convolution: sum over channels and bins of m_k log|W_k|, in nats.

    Args:
        spectrum: (C, F) or (B, C, F).
        length: T, needed since T and F do not determine each other.

    Returns:
        () for a shared spectrum, (B,) for one for each example.

    Raises:
        ValueError: F is not T // 2 + 1.
    """
    if spectrum.shape[-1] != length // 2 + 1:
        raise ValueError(f"length {length} has {length // 2 + 1} bins, the spectrum has {spectrum.shape[-1]}")
    magnitude = real_ends(spectrum, length).abs().log()
    return (magnitude @ bin_weights(length, magnitude.device, magnitude.dtype)).sum(-1)
