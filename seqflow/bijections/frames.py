"""A window frame by frame: each is an item of the batch for what maps it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Context

Map = Callable[[Tensor, Context], tuple[Tensor, Tensor]]


def by_frames(
    x: Tensor, frame: int | None, context: Context | None, run: Map, unit: int = 1
) -> tuple[Tensor, Tensor]:
    """`run` on frames (N, C, frame) of x (B, C, T), whose shape it keeps; and shares (B, T) of log|det|.

    What `run` returns for each frame (N,) is shared out evenly over its steps. A short frame at the end is
    run by itself, cut to a multiple of `unit`: the steps behind it stay as they are. Without `frame` the
    window is the only one. In the context, every frame has what its window has, but for the `span`, one of
    [0, 1] for all: what maps a frame is told the place in it.
    """
    mapped, shares, start = [], [], 0
    for length, count in frames_of(x.shape[-1], frame, unit):
        part = x[..., start : start + length * count]
        items = torch.unflatten(part, -1, (count, length)).movedim(2, 1).flatten(0, 1)
        told = {key: value.repeat_interleave(count, 0) for key, value in (context or {}).items()}
        told["span"] = x.new_tensor([[0.0, 1.0]])
        y, log_det = run(items, told)
        mapped.append(torch.unflatten(y, 0, (-1, count)).movedim(1, 2).flatten(2))
        shares.append(torch.unflatten(log_det / length, 0, (-1, count)).repeat_interleave(length, 1))
        start += length * count
    if start < x.shape[-1]:
        mapped.append(x[..., start:])
        shares.append(torch.zeros_like(x[:, 0, start:]))
    return torch.cat(mapped, -1), torch.cat(shares, -1)


def frames_of(length: int, frame: int | None, unit: int = 1) -> list[tuple[int, int]]:
    """(steps, how many) of the frames of a window: whole ones, then the short one at its end, if any."""
    whole, rest = (0, length) if frame is None else divmod(length, frame)
    rest -= rest % unit
    return [(frame or length, whole)] * (whole > 0) + [(rest, 1)] * (rest > 0)
