"""One pass of windows through a flow: everything that the score terms read.

Shapes: x (B, C, T) windows, z (B, C', T') noise, per-step shares (B, T) in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..bijections.base import Context
from ..flow import Flow

# A model that overflows on a finite input finds it as unlikely as anything can be. Large finite values keep
# the ranking and the arithmetic behind it intact, where NaN would hide the worst window of all.
_LARGEST_NOISE = 1e15
_LEAST_SHARE = -1e30


@dataclass(frozen=True)
class FlowPass:
    """What the model says of a batch of windows, in float64.

    Attributes:
        x: (B, C, T) the windows, in the units of the recording.
        z: (B, C', T') their noise, white with unit variance under a model with a standard normal base.
        share: (B, T) log-density of each step, nats; sums to the log-density of the window.
        volume: (B, T) the part of `share` that is the log-determinant.
        step: quantisation step of x; 0 where there is none.
        background: (B, T) negative log-density of each step under a background model, as `nll`; None
            without one.
    """

    x: Tensor
    z: Tensor
    share: Tensor
    volume: Tensor
    step: float = 0.0
    background: Tensor | None = None
    _found: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """What `make` gives, made once for all who ask by this name."""
        if name not in self._found:
            self._found[name] = make()
        return self._found[name]

    @property
    def channels(self) -> int:
        """C, channels of the recording."""
        return self.x.shape[1]

    @property
    def nll(self) -> Tensor:
        """(B, T) negative log-density of each step, nats per sample (of one channel)."""
        return -self.share / self.channels


@torch.no_grad()
def flow_pass(flow: Flow, x: Tensor, context: Context | None = None) -> FlowPass:
    """`sloped_pass` where no gradient is wanted."""
    return sloped_pass(flow, x, context)


def sloped_pass(flow: Flow, x: Tensor, context: Context | None = None) -> FlowPass:
    """Send the windows x (B, C, T) through the flow once; gradients flow back to x.

    Noise and shares that overflow are set to large finite values (|z| <= 1e15, share >= -1e30 nats).
    """
    share, z = flow.shares(x, context)
    dtype = z.dtype
    z = torch.nan_to_num(z.double(), nan=_LARGEST_NOISE).clamp(-_LARGEST_NOISE, _LARGEST_NOISE)
    # Not +inf either: a density that overflows upwards comes from the same broken arithmetic.
    share = torch.nan_to_num(share.double(), nan=_LEAST_SHARE, posinf=_LEAST_SHARE, neginf=_LEAST_SHARE)
    share = share.clamp(min=_LEAST_SHARE)
    base = flow.base.log_prob(z.to(dtype)).double().sum(dim=1)
    base = torch.nan_to_num(base, nan=_LEAST_SHARE, neginf=_LEAST_SHARE).clamp(min=_LEAST_SHARE)
    return FlowPass(x.double(), z, share, share - spread_over(base, x.shape[-1]))


def spread_over(values: Tensor, length: int) -> Tensor:
    """Share (B, T') values out over T steps: each is divided by T/T' and repeated, so that sums stay."""
    factor = length // values.shape[-1]
    return (values / factor).repeat_interleave(factor, dim=-1)
