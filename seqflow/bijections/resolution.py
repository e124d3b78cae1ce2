"""Bookkeeping where layers change the number of steps: shares of a log-determinant, shapes going back."""

from __future__ import annotations

from torch import Tensor

from .base import Bijection


def at_resolution(share: Tensor, steps: int) -> Tensor:
    """Shares (B, T) of a log-determinant at another number of time steps: (B, steps), same sum.

    Finer shares are added up; a coarse share is divided evenly among its steps. Raises ValueError unless one
    number of steps divides the other.
    """
    now = share.shape[-1]
    if now == steps:
        return share
    if now % steps == 0:
        return share.reshape(share.shape[0], steps, now // steps).sum(-1)
    if steps % now == 0:
        factor = steps // now
        return (share / factor).repeat_interleave(factor, dim=-1)
    raise ValueError(f"cannot share {now} steps out over {steps}: one must divide the other")


def input_shape(bijection: Bijection, channels: int, length: int) -> tuple[int, int]:
    """Shape (C, T) that `bijection` maps to (channels, length).

    A bijection keeps C·T and changes T by a whole factor of its own, up or down: the factor is found by
    trying. Raises ValueError where there is none.
    """
    for factor in range(1, max(channels, length) + 1):
        if channels % factor == 0:
            candidate = channels // factor, length * factor
            if _maps(bijection, candidate, (channels, length)):
                return candidate
        if length % factor == 0:
            candidate = channels * factor, length // factor
            if _maps(bijection, candidate, (channels, length)):
                return candidate
    raise ValueError(f"{type(bijection).__name__} gives no output of shape ({channels}, {length})")


def _maps(bijection: Bijection, source: tuple[int, int], target: tuple[int, int]) -> bool:
    try:
        return bijection.output_shape(*source) == target
    except ValueError:
        return False
