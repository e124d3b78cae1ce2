"""Circular convolution as a product in the Fourier domain, with its exact log-determinant.

Shapes: B batch, C channels, T time steps, F = T // 2 + 1 rfft bins. A spectrum is (C, F), shared by the
batch, or (B, C, F), one for each example. Source: Karami et al., Invertible Convolutional Flow, 2019.

A real signal of length T has a real bin at zero frequency and, for even T, at the Nyquist frequency. The
imaginary part of the spectrum there can have no effect; every function below ignores it, so that
convolution, inverse and log-determinant always speak of the same map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def bin_weights(
    length: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """How often each rfft bin occurs in the full spectrum: 1 at DC and even-T Nyquist, 2 elsewhere. (F,)"""
    weights = torch.full((length // 2 + 1,), 2.0, device=device, dtype=dtype)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    return weights


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


class _Filter(torch.autograd.Function):
    """y = irfft(W * rfft(x)): one buffer in the Fourier domain, one FFT pair each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, spectrum: Tensor) -> Tensor:
        length = x.shape[-1]
        bins = torch.fft.rfft(x)
        if ctx.needs_input_grad[1]:
            ctx.save_for_backward(spectrum, bins)
            product = bins * spectrum
        else:
            ctx.save_for_backward(spectrum)
            product = bins.mul_(spectrum)
        y: Tensor = torch.fft.irfft(product, n=length)
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        saved = ctx.saved_tensors
        length = grad.shape[-1]
        bins = torch.fft.rfft(grad)
        grad_spectrum = None
        if ctx.needs_input_grad[1]:
            # L = 1/T sum_k m_k Re(W_k X_k conj(G_k)).
            weights = bin_weights(length, grad.device, grad.dtype) / length
            cross = saved[1].conj() * bins
            grad_spectrum = (cross.sum(0) if saved[0].dim() == 2 else cross).mul_(weights)
        if not ctx.needs_input_grad[0]:
            return None, grad_spectrum
        return torch.fft.irfft(bins.mul_(saved[0].conj()), n=length), grad_spectrum


def circular_conv(x: Tensor, spectrum: Tensor) -> Tensor:
    """Circular convolution y = irfft(W * rfft(x), n=T).

    In time: y[i] = sum_n w[n] x[(i - n) mod T] with W = rfft(w, n=T).

    Args:
        x: real (B, C, T), any T >= 1; lengths with small prime factors are several times faster.
        spectrum: complex (C, F) shared, or (B, C, F) for each example; F = T // 2 + 1.

    Returns:
        (B, C, T). First derivatives only.

    Raises:
        ValueError: the shapes do not fit.
    """
    check_bins(x, spectrum)
    y: Tensor = _Filter.apply(x, spectrum)  # type: ignore[no-untyped-call, unused-ignore]
    return y


def circular_conv_inverse(y: Tensor, spectrum: Tensor) -> Tensor:
    """The x with `circular_conv(x, spectrum)` = y: division of the bins. Shapes and errors as there.

    The error grows as max|W| / min|W|; a bin of exactly zero gives infinities.
    """
    check_bins(y, spectrum)
    inverse: Tensor = _Filter.apply(y, real_ends(spectrum, y.shape[-1]).reciprocal())  # type: ignore[no-untyped-call, unused-ignore]
    return inverse


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
