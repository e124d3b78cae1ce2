"""Moves between the channel and the time axis, and the guard that keeps numerics out of autocast.

Shapes: x is (B, C, T): batch, channels, time steps.
"""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(device_type: str) -> torch.autocast:
    """Context in which autocast is off: FFTs, matrix products and log-determinants keep their dtype."""
    return torch.autocast(device_type=device_type, enabled=False)


def squeeze(x: Tensor, factor: int) -> Tensor:
    """Move time into channels: (B, C, T) -> (B, C * factor, T / factor), phase-major.

    Channel `p * C + c` of the result holds x[:, c, p::factor]. The log-determinant is 0.

    Raises:
        ValueError: factor < 1, or T is not a multiple of factor.
    """
    if factor < 1:
        raise ValueError(f"squeeze factor must be at least 1, not {factor}")
    batch, channels, length = x.shape
    if length % factor:
        raise ValueError(f"length {length} is not a multiple of the squeeze factor {factor}")
    phases = x.reshape(batch, channels, length // factor, factor).permute(0, 3, 1, 2)
    return phases.reshape(batch, channels * factor, length // factor)


def unsqueeze(x: Tensor, factor: int) -> Tensor:
    """Inverse of `squeeze`: (B, C * factor, T) -> (B, C, T * factor).

    Raises:
        ValueError: factor < 1, or the channel count is not a multiple of factor.
    """
    if factor < 1:
        raise ValueError(f"squeeze factor must be at least 1, not {factor}")
    batch, channels, length = x.shape
    if channels % factor:
        raise ValueError(f"{channels} channels are not a multiple of the squeeze factor {factor}")
    phases = x.reshape(batch, factor, channels // factor, length).permute(0, 2, 3, 1)
    return phases.reshape(batch, channels // factor, length * factor)


def split(x: Tensor, swap: bool = False) -> tuple[Tensor, Tensor]:
    """Halve the channels: (B, C, T) -> (kept, changed), the first ceil(C / 2) channels and the rest.

    `swap` exchanges the two parts. Views, no copies.

    Raises:
        ValueError: fewer than two channels.
    """
    channels = x.shape[1]
    if channels < 2:
        raise ValueError(f"cannot split {channels} channel; a coupling needs at least 2 (squeeze first)")
    first = (channels + 1) // 2
    head, tail = x[:, :first], x[:, first:]
    return (tail, head) if swap else (head, tail)


def merge(kept: Tensor, changed: Tensor, swap: bool = False) -> Tensor:
    """Inverse of `split`: join the parts along channels in their first order."""
    return torch.cat((changed, kept) if swap else (kept, changed), dim=1)


def as_batch(total: Tensor, batch: int) -> Tensor:
    """Spread a shared log-determinant () over the batch; a per-example one (B,) is left as it is."""
    return total.expand(batch)
