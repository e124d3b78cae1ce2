"""Monotone gates with learned parameters: sample by sample, channel by channel."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..ops import gates
from ..ops.numeric_gate import l2_forward, l2_inverse
from ..ops.shapes import full_precision
from .base import Bijection, Context
from .coupling import bounded

GateKind = Literal["piecewise", "slog", "asinh", "sqrt", "cauchy", "boxcox", "l2"]
"""Regulariser the gate is made from: log f'(x) = -phi(f(x)), see `seqflow.ops.gates`."""


class GateFunction:
    """A gate whose parameters are raw, unbounded numbers: f(x; raw) with f the identity at raw = 0.

    `piecewise`: phi is piecewise linear between `knots` fixed places on [-bound, bound] and constant beyond.
    The raw values are -phi at the knots, bounded to ±strength: a gate of any shape whose slopes stay within
    exp(±strength), with linear tails both ways. The safe choice for deep stacks.

    The others compress: one rate a = strength·tanh(|raw|/strength) >= 0, with a = 0 the identity. |raw| has a
    kink at 0, and its slope there is taken as 1, so that a start at 0 can leave it. Their inverses grow
    without bound (slog and asinh exponentially, l2 faster still): meant for one or few layers. `boxcox` takes
    a second raw value, for its power exp(raw2), bounded to exp(±1). `l2` is numeric (`ops.numeric_gate`):
    some thousand times slower, and it cannot be exported.

    Args:
        kind: see `GateKind`.
        knots: number of knots of `piecewise`, at least 2.
        bound: place of its outermost knots, in the units of x.
        strength: bound on its log-slopes, or on the rate of the other kinds.
    """

    def __init__(
        self, kind: GateKind = "piecewise", *, knots: int = 9, bound: float = 4.0, strength: float = 2.0
    ) -> None:
        if kind not in get_args(GateKind):
            raise ValueError(f"gate must be one of {', '.join(get_args(GateKind))}, got {kind!r}")
        if knots < 2 or bound <= 0 or strength <= 0:
            raise ValueError(f"need knots >= 2 and positive bounds, got {knots}, {bound}, {strength}")
        self.kind: GateKind = kind
        self.knots = knots
        self.bound = bound
        self.strength = strength

    @property
    def count(self) -> int:
        """Raw parameters for each gate."""
        return {"piecewise": self.knots, "boxcox": 2}.get(self.kind, 1)

    def forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """y = f(x) and log f'(x), elementwise; raw is (..., count) and broadcasts against x (...)."""
        return self._run(x, raw, inverse=False)

    def inverse(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """x = f⁻¹(y) and the log-derivative of f⁻¹."""
        return self._run(y, raw, inverse=True)

    def _run(self, x: Tensor, raw: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        if self.kind == "piecewise":
            places = torch.linspace(-self.bound, self.bound, self.knots, dtype=x.dtype, device=x.device)
            run = gates.piecewise_inverse if inverse else gates.piecewise_forward
            return run(x, places, bounded(raw, self.strength))
        size = torch.where(raw[..., 0] >= 0, raw[..., 0], -raw[..., 0])
        rate = bounded(size, self.strength)
        if self.kind == "boxcox":
            compress = gates.boxcox_inverse if inverse else gates.boxcox_forward
            return compress(x, rate, bounded(raw[..., 1], 1.0).exp())
        pair = {
            "slog": (gates.slog_forward, gates.slog_inverse),
            "asinh": (gates.asinh_forward, gates.asinh_inverse),
            "sqrt": (gates.sqrt_forward, gates.sqrt_inverse),
            "cauchy": (gates.cauchy_forward, gates.cauchy_inverse),
            "l2": (l2_forward, l2_inverse),
        }[self.kind]
        return pair[inverse](x, rate)


class Gate(Bijection):
    """y = f_c(x), one learned monotone gate for each channel;  log|det| = sum log f_c'(x).

    (B, C, T) -> (B, C, T); the identity at the start. The data should be of unit scale. Arguments as in
    `GateFunction`. Source: Karami et al., Invertible Convolutional Flow, 2019 (gates from regularisers).
    """

    def __init__(
        self,
        channels: int,
        kind: GateKind = "piecewise",
        *,
        knots: int = 9,
        bound: float = 4.0,
        strength: float = 2.0,
    ) -> None:
        super().__init__()
        self.function = GateFunction(kind, knots=knots, bound=bound, strength=strength)
        self.raw = nn.Parameter(torch.zeros(channels, self.function.count))

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, share = self.local(x, context)
        return y, share.sum(-1)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The gates backwards."""
        with full_precision(z.device.type):
            x, log_slope = self.function.inverse(z, self._raw(z))
        return x, log_slope.sum(dim=(1, 2))

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the exact share of each step (B, T)."""
        with full_precision(x.device.type):
            y, log_slope = self.function.forward(x, self._raw(x))
        return y, log_slope.sum(1)

    def _raw(self, x: Tensor) -> Tensor:
        return self.raw.to(x.dtype).unsqueeze(1)
