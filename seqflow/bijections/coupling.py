"""What every coupling does: split the channels, ask the conditioner, map one part."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

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

    The conditioner takes x1 (B, C1, T) and the context's `condition` (B, K) or None, and returns point-wise
    parameters (B, P, T) and pooled ones (B, Q). With parameters of zero a coupling is the identity. The
    conditioner decides on its own precision; the map itself runs in the dtype of x, outside autocast.

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

    def _run(self, x: Tensor, context: Context | None, inverse: bool) -> tuple[Tensor, Tensor, Tensor]:
        if x.shape[1] != self.channels:
            raise ValueError(f"this coupling is made for {self.channels} channels, got {x.shape[1]}")
        kept, changed = split(x, self.swap)
        pointwise, pooled = self.conditioner(kept, None if context is None else context.get("condition"))
        if (pointwise.shape[1], pooled.shape[1]) != self.counts:
            raise ValueError(
                f"the conditioner gives {pointwise.shape[1]} point-wise and {pooled.shape[1]} pooled "
                f"parameters, the coupling needs {self.counts[0]} and {self.counts[1]}"
            )
        with full_precision(x.device.type):
            run = self._unmap if inverse else self._map
            mapped, share, whole = run(changed, pointwise.to(x.dtype), pooled.to(x.dtype))
        return merge(kept, mapped, self.swap), share, whole
