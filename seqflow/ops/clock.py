"""Where in its recording every step of a window lies, as a few waves that networks can read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .tables import remembered


def clock(span: Tensor | None, harmonics: int, like: Tensor) -> Tensor:
    """cos(pi k r) and sin(pi k r), k = 1..K, of the place r of every step, for windows `like` (B, C, T).

    `span` (B, 2), or (1, 2) for all of them, is where a window begins and ends as fractions of its recording:
    r runs through it evenly, at any time resolution. Without a span, or where it is empty, the place is
    unknown and all waves are zero. (B, 2K, T), dtype and device of `like`.
    """
    if span is None:
        return like.new_zeros(like.shape[0], 2 * harmonics, like.shape[-1])
    begin, end = torch.split(span.to(like).unsqueeze(1), 1, -1)
    width = end - begin
    turns = _turns(like.shape[-1], harmonics, like.device, like.dtype)
    angle = torch.addcmul(begin * turns[:, :1], width, turns[:, 1:])
    waves = torch.cat((torch.cos(angle), torch.sin(angle)), 1) * (width > 0)
    return waves.expand(like.shape[0], -1, -1)


@remembered
def _turns(steps: int, harmonics: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """pi k, and pi k times the middle of every step as a fraction of the window: (K, 1 + T)."""
    middles = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    order = math.pi * torch.arange(1, harmonics + 1, dtype=torch.float64).unsqueeze(1)
    return torch.cat((order, order * middles), 1).to(device=device, dtype=dtype)
