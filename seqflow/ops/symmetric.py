"""Convolution of a symmetrically extended signal: a product in a cosine transform's domain.

Shapes: x (B, C, T); a response is real, (C, T) shared by the batch or (B, C, T): the kernel's gain at the T
frequencies of the transform. The kernel is symmetric: zero phase, no delay. Mirror images at both ends
replace the wrap-around of circular convolution. Source: S. A. Martucci, Symmetric convolution and the
discrete sine and cosine transforms, 1994; Karami et al., Invertible Convolutional Flow, 2019.

half: the mirrors lie half a sample out, [x0..xN-1, xN-1..x0]; DCT-II; torch has no such padding mode.
whole: the mirrors lie on the end samples, as torch's `reflect` padding; DCT-I; needs T >= 2.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .cepstrum import Mirror
from .dct import dct2, dct3


def symmetric_conv(x: Tensor, response: Tensor, boundary: Mirror = "half") -> Tensor:
    """y with the transform of x multiplied by the response; (B, C, T).

    Raises ValueError where the response's length is not T, or "whole" is asked of T < 2.
    """
    length = x.shape[-1]
    if response.shape[-1] != length:
        raise ValueError(
            f"a response for {length} samples must have as many values, got {response.shape[-1]}"
        )
    if boundary == "half":
        product: Tensor = dct3(dct2(x) * response)
        return product
    if length < 2:
        raise ValueError(f"whole-sample symmetry needs at least 2 samples, got {length}")
    period = 2 * (length - 1)
    bins = torch.fft.rfft(torch.cat((x, x[..., 1:-1].flip(-1)), -1))
    y: Tensor = torch.fft.irfft(bins * response, n=period)
    return y[..., :length]


def symmetric_conv_inverse(y: Tensor, response: Tensor, boundary: Mirror = "half") -> Tensor:
    """The x with `symmetric_conv(x, response, boundary)` = y."""
    return symmetric_conv(y, response.reciprocal(), boundary)


def symmetric_log_det(response: Tensor) -> Tensor:
    """sum_k log|H_k| over frequencies and channels, all weights 1: () or (B,), in nats."""
    return response.abs().log().sum(dim=(-2, -1))


def kernel_to_response(kernel: Tensor, boundary: Mirror = "half") -> Tensor:
    """Response (..., T) of a symmetric kernel given by its taps h_0..h_P (..., P + 1).

    P = T for "half", T - 1 for "whole" (half the period): H_k = h_0 + (-1)^k h_P + 2 sum h_n cos(pi k n / P).
    For "half", h_n = (-1)^n is a null direction: the transform has no frequency pi. Raises ValueError for
    fewer than two taps.
    """
    if kernel.shape[-1] < 2:
        raise ValueError("a symmetric kernel needs at least two taps")
    response: Tensor = torch.fft.rfft(torch.cat((kernel, kernel[..., 1:-1].flip(-1)), -1)).real
    return response[..., :-1] if boundary == "half" else response
