"""Causal convolution from a zero or a carried state: lower-triangular Toeplitz, the form for streams.

Shapes: x (B, C, T); a kernel is (C, L), shared by the batch, or (B, C, L); state (B, C, L - 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .series import series_inverse


def causal_conv(x: Tensor, kernel: Tensor) -> Tensor:
    """y[t] = sum_{n <= t} h[n] x[t - n], silent before the first sample. (B, C, T)."""
    length = x.shape[-1]
    kernel = kernel[..., :length]
    fft = _fast_size(length + kernel.shape[-1] - 1)
    product = torch.fft.rfft(x, n=fft) * torch.fft.rfft(kernel, n=fft)
    y: Tensor = torch.fft.irfft(product, n=fft)
    return y[..., :length]


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


def _fast_size(size: int) -> int:
    """The least number from `size` on of the form 2^a, 3·2^a or 5·2^a."""
    return min(m * (1 << max(-(-size // m) - 1, 0).bit_length()) for m in (1, 3, 5))
