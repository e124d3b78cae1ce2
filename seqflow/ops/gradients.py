"""Gradients of several results at once, some of which may have none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gradients(
    results: Sequence[Tensor], grads: Sequence[Tensor], wanted: Sequence[Tensor]
) -> list[Tensor | None]:
    """sum_i d<results_i, grads_i> / d wanted_j for each j; None where nothing depends on wanted_j.

    Frees the graph of the results. Results without a graph are constants.
    """
    moving = [(result, grad) for result, grad in zip(results, grads, strict=True) if result.requires_grad]
    if not moving:
        return [None] * len(wanted)
    return list(
        torch.autograd.grad(
            [result for result, _ in moving], wanted, [grad for _, grad in moving], allow_unused=True
        )
    )
