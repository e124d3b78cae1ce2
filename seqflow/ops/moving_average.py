"""Centred moving averages, in a number of additions that grows as the logarithm of their lengths.

Shapes: x (..., C, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .tables import remembered


def moving_averages(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Means of the `length` samples around each, at the edges of those that there are; lengths are odd.

    y[t] = sum of x[s] over |s - t| <= length/2, divided by their number: (..., S·C, T), the C channels of the
    first of S lengths first. Sums of 1, 2, 4 ... samples are made of each other, and those that add up to a
    length added: nothing is subtracted, so a mean of positive numbers is exact to rounding wherever they are
    small.
    """
    total: Tensor = _Sums.apply(x, tuple(lengths))  # type: ignore[no-untyped-call]
    counts = _counts(x.shape[-1], tuple(lengths), x.device, x.dtype)
    return (torch.unflatten(total, -2, (len(lengths), -1)) / counts).flatten(-3, -2)


@remembered
def _counts(steps: int, lengths: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """How many samples are summed, (S, 1, T)."""
    before = torch.arange(steps)
    half = torch.tensor(lengths).reshape(-1, 1, 1) // 2
    counts = torch.minimum(before, half) + torch.minimum(before.flip(0), half) + 1
    return counts.to(device=device, dtype=dtype)


class _Sums(torch.autograd.Function):
    """The moving sums over zeros at both ends, each its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, lengths: tuple[int, ...]) -> Tensor:
        ctx.lengths = lengths
        steps, half, width = x.shape[-1], max(lengths) // 2, 1
        run = F.pad(x, (half, half))
        starts = [half - length // 2 for length in lengths]
        totals: list[Tensor | None] = [None] * len(lengths)
        while width <= max(lengths):
            if width > 1:
                run = run[..., : -width // 2] + run[..., width // 2 :]
            # Here run[t] is the sum of `width` samples from t on.
            for place, length in enumerate(lengths):
                if length & width:
                    piece, total = run[..., starts[place] : starts[place] + steps], totals[place]
                    totals[place] = piece if total is None else total + piece
                    starts[place] += width
            width *= 2
        return torch.cat([total for total in totals if total is not None], -2)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        parts = gradients[0].chunk(len(ctx.lengths), -2)
        sums: list[Tensor] = [
            _Sums.apply(part, (length,))  # type: ignore[no-untyped-call]
            for part, length in zip(parts, ctx.lengths, strict=True)
        ]
        return torch.stack(sums).sum(0) if len(sums) > 1 else sums[0], None
