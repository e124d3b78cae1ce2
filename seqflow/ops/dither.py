"""Uniform noise addressed by position: the same sample of a recording always gets the same noise.

Scores of a recording must not depend on how it is cut into windows, on the batch, the chunk size or the
device. A counter-based hash gives that: noise = hash(seed, channel, sample index), with integer arithmetic
only, hence equal to the bit everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF


def _mix(h: Tensor) -> Tensor:
    """32-bit finaliser (the "lowbias32" multipliers of C. Wellons), on int64 tensors holding 32-bit words."""
    h = h ^ (h >> 16)
    h = (h * 0x7FEB352D) & _WORD
    h = h ^ (h >> 15)
    # The product of two 32-bit words can reach 2**64: multiply by halves to stay inside int64.
    low, high = 0x846CA68B & 0xFFFF, 0x846CA68B >> 16
    h = (h * low + ((h * high & 0xFFFF) << 16)) & _WORD
    return h ^ (h >> 16)


def uniform_at(
    position: Tensor, channels: int, length: int, seed: int, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Uniform noise in [0, 1) for samples position .. position + length - 1 of each recording.

    Args:
        position: (B,) int64, index of the first sample of each item in its recording.
        channels: number of channels C; every channel has noise of its own.
        length: number of samples T.
        seed: any integer; its low 32 bits are used.
        dtype: floating dtype of the result. 24 bits of noise are drawn, exact in float32.

    Returns:
        (B, C, T) tensor on the device of `position`.
    """
    index = position.to(torch.int64).unsqueeze(-1) + torch.arange(length, device=position.device)
    low = _mix((index & _WORD) ^ (seed & _WORD))
    word = _mix(low ^ ((index >> 32) & _WORD)).unsqueeze(1)
    channel = torch.arange(1, channels + 1, device=position.device, dtype=torch.int64).view(1, -1, 1)
    word = _mix(word ^ ((channel * 0x9E3779B9) & _WORD))
    return (word >> 8).to(dtype) * (1.0 / (1 << 24))
