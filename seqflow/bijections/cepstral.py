"""Convolution by a short cepstrum at any boundary: what the convolution layers share.

One cepstrum serves every boundary and every T. The inverse is the same convolution with minus the cepstrum.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..ops.causal import causal_conv
from ..ops.cepstrum import (
    Mirror,
    causal_cepstral_log_det,
    causal_kernel,
    circular_cepstral_log_det,
    circular_spectrum,
    limit,
    symmetric_cepstral_log_det,
    symmetric_response,
)
from ..ops.circular import circular_conv
from ..ops.shapes import as_batch, full_precision
from ..ops.symmetric import symmetric_conv
from .base import Bijection, Context

Boundary = Literal["circular", "symmetric", "whole", "causal"]
"""How a window goes on beyond its ends: periodic; mirrored half a sample out (DCT-II); mirrored at the end
samples (DCT-I); silent before, and the past alone counts."""


def check_boundary(boundary: str) -> None:
    """Raise ValueError for a name that is no boundary."""
    if boundary not in get_args(Boundary):
        raise ValueError(f"boundary must be one of {', '.join(get_args(Boundary))}, got {boundary!r}")


def lag_count(boundary: Boundary, taps: int) -> int:
    """Numbers in a cepstrum of K taps: lags -(K-1)..K-1 for circular, 0..K-1 for the others.

    Raises ValueError for K < 1.
    """
    if taps < 1:
        raise ValueError(f"a cepstrum needs at least one tap, got {taps}")
    return 2 * taps - 1 if boundary == "circular" else taps


def cepstral_conv(x: Tensor, cepstrum: Tensor, boundary: Boundary) -> tuple[Tensor, Tensor]:
    """Convolve x (B, C, T) by exp(cepstrum); the result and log|det| (B,) in nats.

    The cepstrum is (C, n) or (B, C, n), n of `lag_count`, not yet limited. `cepstral_conv(y, -cepstrum)`
    is the inverse.
    """
    length = x.shape[-1]
    with full_precision(x.device.type):
        if boundary == "circular":
            y = circular_conv(x, circular_spectrum(cepstrum, length))
            log_det = circular_cepstral_log_det(cepstrum, length)
        elif boundary == "causal":
            y = causal_conv(x, causal_kernel(cepstrum, length))
            log_det = causal_cepstral_log_det(cepstrum, length)
        else:
            mirror: Mirror = "half" if boundary == "symmetric" else "whole"
            y = symmetric_conv(x, symmetric_response(cepstrum, length, mirror), mirror)
            log_det = symmetric_cepstral_log_det(cepstrum, length, mirror)
    return y, as_batch(log_det, x.shape[0])


def within_budget(cepstrum: Tensor, budget: float, boundary: Boundary) -> Tensor:
    """Scale a cepstrum down where its bound on |log H| is above the budget (nats), per channel."""
    return limit(cepstrum, budget, symmetric=boundary in ("symmetric", "whole"))


class CepstralConv(Bijection):
    """y = exp(c) * x per channel, c learned: never singular, log|det| a weighted sum of c.

    |log H| <= budget at every frequency, so a stack of n layers has a condition number of at most
    exp(2·n·budget) and its float32 round trip stays near 1e-4 at depth 32. The identity at the start.

    Args:
        channels: C.
        taps: K cepstral taps, the spectral resolution.
        boundary: see `Boundary`.
        budget: bound B on |log H| in nats.
    """

    def __init__(self, channels: int, taps: int, boundary: Boundary, budget: float) -> None:
        super().__init__()
        check_boundary(boundary)
        if budget <= 0:
            raise ValueError(f"the budget must be positive, got {budget}")
        self.boundary: Boundary = boundary
        self.budget = budget
        self.cepstrum = nn.Parameter(torch.zeros(channels, lag_count(boundary, taps)))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        return cepstral_conv(x, self._limited(x), self.boundary)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The same convolution with minus the cepstrum."""
        return cepstral_conv(z, -self._limited(z), self.boundary)

    def _limited(self, x: Tensor) -> Tensor:
        return within_budget(self.cepstrum.to(x.dtype), self.budget, self.boundary)
