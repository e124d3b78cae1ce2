"""A window frame by frame: each is an item of the batch for what maps it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Context

Map = Callable[[Tensor, Context], tuple[Tensor, Tensor]]


def by_frames(x: Tensor, frame: int | None, context: Context | None, run: Map) -> tuple[Tensor, Tensor]:
    """`run` on frames (N, C, frame) of x (B, C, T), whose shape it keeps; and shares (B, T) of log|det|.

    What `run` returns for each frame (N,) is shared out evenly over its steps. A short frame at the end is
    run by itself; without `frame` the window is the only one. In the context, every frame has what its window
    has, but for the `span`, which is [0, 1]: what maps a frame is told the place in it.
    """
    mapped, shares, start = [], [], 0
    for length, count in frames_of(x.shape[-1], frame):
        part = x[..., start : start + length * count]
        items = torch.unflatten(part, -1, (count, length)).movedim(2, 1).flatten(0, 1)
        told = {key: value.repeat_interleave(count, 0) for key, value in (context or {}).items()}
        told["span"] = x.new_tensor([[0.0, 1.0]]).expand(len(items), -1)
        y, log_det = run(items, told)
        mapped.append(torch.unflatten(y, 0, (-1, count)).movedim(1, 2).flatten(2))
        shares.append(torch.unflatten(log_det / length, 0, (-1, count)).repeat_interleave(length, 1))
        start += length * count
    return torch.cat(mapped, -1), torch.cat(shares, -1)


def frames_of(length: int, frame: int | None) -> list[tuple[int, int]]:
    """(steps, how many) of the frames of a window: whole ones, then the short one at its end."""
    whole, rest = divmod(length, length if frame is None else frame)
    return [(frame or length, whole)] * (whole > 0) + [(rest, 1)] * (rest > 0)
