"""Convolution of a symmetrically extended signal: a product in a cosine transform's domain.

Shapes: x (B, C, T); a response is real, (C, T) shared by the batch or (B, C, T): the kernel's gain at the T
frequencies of the transform. The kernel is symmetric: zero phase, no delay. Mirror images at both ends
replace the wrap-around of circular convolution. Source: S. A. Martucci, Symmetric convolution and the
discrete sine and cosine transforms, 1994; Karami et al., Invertible Convolutional Flow, 2019.

half: the mirrors lie half a sample out, [x0..xN-1, xN-1..x0]; DCT-II; torch has no such padding mode.
whole: the mirrors lie on the end samples, as torch's `reflect` padding; DCT-I; needs T >= 2.

For "half" the order of `dct.to_pairs` is the faster one: a paired response (..., F, 2), F = T // 2 + 1, holds
(H_k, H_{T-k}), and H_T beside H_0, which counts for nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .cepstrum import Mirror
from .dct import analysis, from_pairs, synthesis, to_pairs
from .fourier import differentiable, fourier_filter, shared


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
        beside = torch.cat((response[..., :1], response[..., (length + 1) // 2 :].flip(-1)), -1)
        return paired_conv(x, torch.stack((response[..., : length // 2 + 1], beside), -1))
    if length < 2:
        raise ValueError(f"whole-sample symmetry needs at least 2 samples, got {length}")
    return mirrored_conv(x, response)


def paired_conv(x: Tensor, response: Tensor) -> Tensor:
    """`symmetric_conv` at the boundary "half" with a paired response (C, F, 2) or (B, C, F, 2)."""
    y: Tensor = _Paired.apply(x, response)  # type: ignore[no-untyped-call, unused-ignore]
    return y


class _Paired(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, response: Tensor) -> Tensor:
        pairs = torch.view_as_real(analysis(x))
        kept = pairs if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(x, response, kept)
        product = pairs.mul_(response) if kept is None else pairs * response
        return synthesis(torch.view_as_complex(product), x.shape[-1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, response, pairs = ctx.saved_tensors
        if torch.is_grad_enabled():
            return differentiable(_plain_paired_conv, (x, response), grad)
        # The pairs keep inner products, so that the gradients are those of a product of numbers.
        change = torch.view_as_real(analysis(grad))
        grad_response = None if pairs is None else shared(change * pairs, response)
        return synthesis(torch.view_as_complex(change.mul_(response)), grad.shape[-1]), grad_response


def _plain_paired_conv(x: Tensor, response: Tensor) -> Tensor:
    pairs = torch.view_as_real(to_pairs(x)) * response
    return from_pairs(torch.view_as_complex(pairs), x.shape[-1])


def mirrored_conv(x: Tensor, response: Tensor) -> Tensor:
    """`symmetric_conv` at the boundary "whole" by the filter's gain on a period P, (C, F) or (B, C, F).

    F = P // 2 + 1, T <= P <= 2(T - 1), P even. What the period has beyond the window is filled with mirror
    images from both ends: at P = 2(T - 1) all there are, below that as far as the kernel must reach.
    """
    length = x.shape[-1]
    beyond = 2 * (response.shape[-1] - 1) - length
    after = x[..., length - 1 - (beyond + 1) // 2 : length - 1].flip(-1)
    before = x[..., 1 : beyond // 2 + 1].flip(-1)
    return fourier_filter(torch.cat((x, after, before), -1), response)[..., :length]


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
