"""The centred moving average, in a number of additions that grows as the logarithm of its length.

Shapes: x (..., T).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def moving_average(x: Tensor, length: int) -> Tensor:
    """Mean of the `length` samples around each, at the edges of those that there are; `length` is odd.

    y[t] = sum of x[s] over |s - t| <= length/2, divided by their number. Sums of 1, 2, 4 ... samples are made
    of each other, and those that add up to `length` added: nothing is subtracted, so a mean of positive
    numbers is exact to rounding wherever they are small.
    """
    if length == 1:
        return x
    steps = torch.arange(x.shape[-1], device=x.device)
    before, after = steps.clamp(max=length // 2), steps.flip(0).clamp(max=length // 2)
    total: Tensor = _Sum.apply(x, length)  # type: ignore[no-untyped-call]
    return total / (before + after + 1)


class _Sum(torch.autograd.Function):
    """The moving sum over zeros at both ends, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, length: int) -> Tensor:
        ctx.length = length
        steps, run = x.shape[-1], F.pad(x, (length // 2, length // 2))
        total, start, width = None, 0, 1
        while True:
            # Here run[t] is the sum of `width` samples from t on.
            if length & width:
                piece = run[..., start : start + steps]
                total = piece if total is None else total + piece
                start += width
            width *= 2
            if width > length:
                assert total is not None
                return total
            run = run[..., : -width // 2] + run[..., width // 2 :]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        return _Sum.apply(gradients[0], ctx.length), None  # type: ignore[no-untyped-call]
