"""Filters in the Fourier domain, with gradients that cost what they must.

Shapes: a signal is (B, C, T), its bins (B, C, F), F = T // 2 + 1; a response is (C, F), shared by the batch,
or (B, C, F). torch's own gradients of rfft and irfft take a complex transform of the full length, and
those of complex products an extra pass for every conjugate; here a backward pass is one more FFT pair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# Odd factors of transform lengths that are about as fast as powers of two.
_ODD = (1, 3, 5, 9, 15, 27, 45, 135)


def bin_weights(
    length: int, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Tensor:
    """How often each rfft bin occurs in the full spectrum: 1 at DC and even-T Nyquist, 2 elsewhere. (F,)"""
    weights = torch.full((length // 2 + 1,), 2.0, device=device, dtype=dtype)
    weights[0] = 1.0
    if length % 2 == 0:
        weights[-1] = 1.0
    return weights


def fast_size(size: int) -> int:
    """The least even number from `size` on with a fast transform: 2^a, or 2^a·m with a small odd m."""
    return min(m * (1 << max((-(-size // m) - 1).bit_length(), 1 if m == 1 else 4)) for m in _ODD)


def exp_polar(gain: Tensor, phase: Tensor) -> Tensor:
    """exp(gain + i·phase). The complex exponential and torch.polar take several times as long."""
    size, real, imag = gain.exp(), phase.cos(), phase.sin()
    if torch.is_grad_enabled():
        return torch.complex(real * size, imag * size)
    return torch.complex(real.mul_(size), imag.mul_(size))


def fourier_filter(x: Tensor, *response: Tensor) -> Tensor:
    """irfft(W · rfft(x), n=T), differentiable any number of times.

    The response is W, complex or real, or two tensors: log|W| in nats and arg W in radians, for which the
    gradient is cheaper. What is imaginary in W at DC and, for even T, at Nyquist drops out.
    """
    run = _Filter if len(response) == 1 else _ExpFilter
    y: Tensor = run.apply(x, *response)  # type: ignore[no-untyped-call, unused-ignore]
    return y


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, response: Tensor) -> Tensor:
        bins = torch.fft.rfft(x)
        kept = bins if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(x, response, kept)
        y: Tensor = torch.fft.irfft(bins.mul_(response) if kept is None else bins * response, n=x.shape[-1])
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, response, bins = ctx.saved_tensors
        if torch.is_grad_enabled():
            return differentiable(_plain_filter, (x, response), grad)
        # All conjugated, in place: G conj(W) for x, G conj(X) for W.
        conjugate = torch.fft.rfft(grad).conj_physical_()
        grad_response = None
        if bins is not None:
            cross = shared(conjugate * bins, response) * _weights_like(grad)
            grad_response = cross.conj_physical() if response.is_complex() else cross.real
        return _back(conjugate.mul_(response), grad), grad_response


class _ExpFilter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain: Tensor, phase: Tensor) -> Tensor:
        bins = torch.fft.rfft(x)
        response = exp_polar(gain, phase)
        ctx.save_for_backward(x, gain, phase, response, bins)
        y: Tensor = torch.fft.irfft(bins * response, n=x.shape[-1])
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, gain, phase, response, bins = ctx.saved_tensors
        if torch.is_grad_enabled():
            return differentiable(_plain_exp_filter, (x, gain, phase), grad)
        # dY = Y (d gain + i d phase), so that all three gradients share G conj(W).
        conjugate = torch.fft.rfft(grad).conj_physical_().mul_(response)
        cross = shared(conjugate * bins, gain)
        weights = _weights_like(grad)
        return _back(conjugate, grad), cross.real * weights, cross.imag * -weights


def _back(conjugate: Tensor, like: Tensor) -> Tensor:
    """The signal of conjugated bins; they are not to be used again."""
    x: Tensor = torch.fft.irfft(conjugate.conj_physical_(), n=like.shape[-1])
    return x


def shared(values: Tensor, like: Tensor) -> Tensor:
    """Summed over the batch where the response has none."""
    return values.sum(0) if like.dim() < values.dim() else values


def _weights_like(grad: Tensor) -> Tensor:
    """m_k / T: a change of bin k changes the signal's product with `grad` by m_k / T Re(conj(G_k) dY_k)."""
    return bin_weights(grad.shape[-1], grad.device, grad.dtype) / grad.shape[-1]


def differentiable(
    run: Callable[..., Tensor], inputs: tuple[Tensor, ...], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """Gradients of run(*inputs) that can be differentiated again: for backward passes that are recorded."""
    wanted = [value for value in inputs if value.requires_grad]
    found = iter(torch.autograd.grad(run(*inputs), wanted, grad, create_graph=True))
    return tuple(next(found) if value.requires_grad else None for value in inputs)


def _plain_filter(x: Tensor, response: Tensor) -> Tensor:
    y: Tensor = torch.fft.irfft(torch.fft.rfft(x) * response, n=x.shape[-1])
    return y


def _plain_exp_filter(x: Tensor, gain: Tensor, phase: Tensor) -> Tensor:
    return _plain_filter(x, exp_polar(gain, phase))
