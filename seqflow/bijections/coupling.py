"""What every coupling does: split the channels, ask the conditioner, map one part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..ops.gradients import gradients
from ..ops.shapes import full_precision, merge, split
from .base import Bijection, Context


def bounded(raw: Tensor, limit: float) -> Tensor:
    """limit·tanh(raw/limit): the raw value near 0, never beyond ±limit."""
    return limit * torch.tanh(raw / limit)


def coupling_sizes(channels: int, swap: bool = False) -> tuple[int, int]:
    """Channels of (untouched, changed) part: (ceil(C/2), floor(C/2)), exchanged by `swap`.

    The untouched part is what the conditioner sees. Raises ValueError for fewer than two channels.
    """
    if channels < 2:
        raise ValueError(f"a coupling needs at least 2 channels, got {channels}: squeeze first")
    head, tail = (channels + 1) // 2, channels // 2
    return (tail, head) if swap else (head, tail)


class Coupling(Bijection):
    """y1 = x1, y2 = map of x2 with parameters from conditioner(x1).

    The conditioner takes x1 (B, C1, T) and the context's `condition` (B, K) and `span` (B or 1, 2), each or
    None, and returns point-wise parameters (B, P, T) and pooled ones (B, Q). With parameters of zero a
    coupling is the identity. The conditioner decides on its own precision; the map itself runs in the dtype
    of x, outside autocast.

    Args:
        channels: C >= 2.
        conditioner: see above; `coupling_sizes` and the subclass's `parameter_counts` tell its sizes.
        counts: (P, Q) that the map needs.
        swap: change the first channels in place of the last.
    """

    def __init__(self, channels: int, conditioner: nn.Module, counts: tuple[int, int], swap: bool) -> None:
        super().__init__()
        self.channels = channels
        self.conditioner = conditioner
        self.swap = swap
        self.untouched, self.changed = coupling_sizes(channels, swap)
        self.counts = counts

    @abstractmethod
    def _map(self, x: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map the changed part (B, C2, T): result, log-det shares (B, T), log-det of the window (B,)."""

    @abstractmethod
    def _unmap(self, y: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inverse of `_map`, with the shares of the inverse."""

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, share, whole = self._run(x, context, inverse=False)
        return y, share.sum(-1) + whole

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Noise to data: the untouched part gives the same parameters again."""
        x, share, whole = self._run(z, context, inverse=True)
        return x, share.sum(-1) + whole

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with exact shares (B, T) of the point-wise part; a convolution's part is even."""
        y, share, whole = self._run(x, context, inverse=False)
        return y, share + (whole / x.shape[-1]).unsqueeze(-1)

    def pull_back(
        self,
        y: Tensor,
        grads: tuple[Tensor, Tensor],
        wanted: Sequence[Tensor],
        context: Context | None = None,
        x: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """One run of the conditioner serves both the inverse and the gradients."""
        kept, changed = split(y if x is None else x, self.swap)
        grad_kept, grad_changed = split(grads[0], self.swap)
        kept = kept.detach().requires_grad_()
        with full_precision(y.device.type), torch.enable_grad():
            pointwise, pooled = self._condition(kept, context)
            if x is None:
                with torch.no_grad():
                    changed, _, _ = self._unmap(changed, pointwise, pooled)
            changed = changed.detach().requires_grad_()
            mapped, share, whole = self._map(changed, pointwise, pooled)
            if grads[1].dim() == 2:
                term = share + (whole / y.shape[-1]).unsqueeze(-1)
            else:
                term = share.sum(-1) + whole
        below, beside, *rest = gradients((mapped, term), (grad_changed, grads[1]), (kept, changed, *wanted))
        assert beside is not None
        below = grad_kept if below is None else grad_kept + below
        return merge(kept.detach(), changed.detach(), self.swap), [merge(below, beside, self.swap), *rest]

    def _run(self, x: Tensor, context: Context | None, inverse: bool) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != self.channels:
            raise ValueError(f"this coupling is made for {self.channels} channels, got {x.shape[1]}")
        kept, changed = split(x, self.swap)
        pointwise, pooled = self._condition(kept, context)
        with full_precision(x.device.type):
            run = self._unmap if inverse else self._map
            mapped, share, whole = run(changed, pointwise, pooled)
        return merge(kept, mapped, self.swap), share, whole

    def _condition(self, kept: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
        """The conditioner's point-wise and pooled parameters, in the dtype of the signal."""
        condition = None if context is None else context.get("condition")
        if condition is not None:
            condition = condition.to(kept.dtype)
        span = None if context is None else context.get("span")
        pointwise, pooled = self.conditioner(kept, condition, span)
        if (pointwise.shape[1], pooled.shape[1]) != self.counts:
            raise ValueError(
                f"the conditioner gives {pointwise.shape[1]} point-wise and {pooled.shape[1]} pooled "
                f"parameters, the coupling needs {self.counts[0]} and {self.counts[1]}"
            )
        return pointwise.to(kept.dtype), pooled.to(kept.dtype)
