"""Where in its recording every step of a window lies, as a few waves that networks can read."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def clock(span: Tensor | None, harmonics: int, like: Tensor) -> Tensor:
    """cos(pi k r) and sin(pi k r), k = 1..K, of the place r of every step, for windows `like` (B, C, T).

    `span` (B, 2) is where a window begins and ends as fractions of its recording: r runs through it evenly,
    at any time resolution. Without a span, or where it is empty, the place is unknown and all waves are zero.
    (B, 2K, T), dtype and device of `like`.
    """
    if span is None:
        return like.new_zeros(like.shape[0], 2 * harmonics, like.shape[-1])
    steps = like.shape[-1]
    span = span.to(like)
    along = (torch.arange(steps, dtype=like.dtype, device=like.device) + 0.5) / steps
    width = span[:, 1:] - span[:, :1]
    phase = math.pi * (span[:, :1] + along * width).unsqueeze(1)
    order = torch.arange(1, harmonics + 1, dtype=like.dtype, device=like.device).unsqueeze(1)
    waves = torch.cat((torch.cos(order * phase), torch.sin(order * phase)), 1)
    return waves * (width > 0).to(like.dtype).unsqueeze(-1)
