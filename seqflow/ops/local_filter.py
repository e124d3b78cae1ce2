"""A filter that changes from step to step and looks only back: y[t] = x[t] + sum_k h_k[t] x[t - k].

Shapes: x (B, C, T); taps h (B, C, K, T) for lags 1..K. The matrix of the map is lower triangular with ones on
its diagonal: log|det| = 0 whatever the taps.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Steps solved for together: one small triangular system each.
_BLOCK = 64


def bounded_taps(raw: Tensor, budget: float) -> Tensor:
    """h = raw·min(1, b / sum_k |raw_k|) with b = 1 - exp(-budget), at every step of (B, C, K, T).

    Then the filter amplifies no signal (in its largest value) by more than 2, and its inverse none by more
    than exp(budget): it cannot run away.
    """
    bound = -torch.expm1(torch.tensor(-budget, dtype=torch.float64)).item()
    return raw * (bound / raw.abs().sum(2, keepdim=True).clamp(min=bound))


def local_filter(x: Tensor, taps: Tensor) -> Tensor:
    """Filter x by the taps of every step; silent before the first sample. (B, C, T)."""
    count, length = taps.shape[2], x.shape[-1]
    # Row j is x, later by K - j steps.
    late = F.pad(x, (count, -1)).unfold(-1, length, 1)
    return x + (taps.flip(2) * late).sum(2)


def local_filter_inverse(y: Tensor, taps: Tensor) -> Tensor:
    """The x with `local_filter(x, taps)` = y, block after block."""
    count, length = taps.shape[2], y.shape[-1]
    past = y.new_zeros(*y.shape[:-1], count)
    blocks = []
    for start in range(0, length, _BLOCK):
        here = taps[..., start : start + _BLOCK]
        size = here.shape[-1]
        # What the steps before the block add to it.
        carried = local_filter(F.pad(past, (0, size)), F.pad(here, (count, 0)))[..., count:]
        rest = y[..., start : start + _BLOCK] - carried
        x = torch.linalg.solve_triangular(_matrix(here), rest.unsqueeze(-1), upper=False, unitriangular=True)
        blocks.append(x.squeeze(-1))
        past = torch.cat((past, blocks[-1]), -1)[..., size:]
    return torch.cat(blocks, -1)


def _matrix(taps: Tensor) -> Tensor:
    """The matrix (B, C, L, L) of the filter on L steps that nothing precedes, without its diagonal."""
    count, size = taps.shape[2:]
    # A row for each step, its latest tap last. They are longer by one than what is read, so each begins a
    # step later than the one before.
    rows = F.pad(taps.flip(2).transpose(2, 3), (0, size + 1)).flatten(2)
    moved = torch.unflatten(rows[..., : size * (size + count)], -1, (size, size + count))
    return moved[..., count:]
