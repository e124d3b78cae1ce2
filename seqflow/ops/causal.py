"""Causal convolution from a zero or a carried state: lower-triangular Toeplitz, the form for streams.

Shapes: x (B, C, T); a kernel is (C, L), shared by the batch, or (B, C, L); state (B, C, L - 1).
A spectrum (C, F) or (B, C, F) is that of the kernel on an even period P = 2(F - 1) > T: what lies beyond the
window is silence, long enough that the kernel does not reach around the period.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .fourier import fast_size, fourier_filter
from .series import series_inverse


def causal_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """y[t] = sum_{n <= t} h[n] x[t - n], silent before the first sample. (B, C, T)."""
    return causal_filter(x, causal_spectrum(kernel, x.shape[-1]))


def causal_spectrum(kernel: Tensor, length: int) -> Tensor:
    """Spectrum of a kernel for `causal_filter` of `length` samples: (..., F)."""
    kernel = kernel[..., :length]
    taps = kernel.shape[-1]
    spectrum: Tensor = torch.fft.rfft(kernel, n=fast_size(length + taps - 1))
    return spectrum


def causal_filter(x: Tensor, *spectrum: Tensor) -> Tensor:
    """`causal_conv` by the kernel's spectrum, see above, given as one tensor or two (`fourier_filter`)."""
    length = x.shape[-1]
    silence = 2 * (spectrum[0].shape[-1] - 1) - length
    return fourier_filter(functional.pad(x, (0, silence)), *spectrum)[..., :length]


def causal_conv_stream(x: Tensor, kernel: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The same for one block of a stream: the result, and the state to give with the next block.

    The state holds the last L - 1 inputs (B, C, L - 1), zeros at the start. Blocks joined equal the whole.
    """
    joined = torch.cat((state, x), -1)
    past = state.shape[-1]
    return causal_conv(joined, kernel)[..., past:], joined[..., joined.shape[-1] - past :]


def causal_conv_inverse(y: Tensor, kernel: Tensor) -> Tensor:
    """The x with `causal_conv(x, kernel)` = y, by the series 1/h; stable where h is minimum phase."""
    return causal_conv(y, series_inverse(kernel, y.shape[-1]))


def causal_log_det(kernel: Tensor, length: int) -> Tensor:
    """T·log|h_0| summed over channels: () or (B,), in nats."""
    return length * kernel[..., 0].abs().log().sum(-1)
