"""The full coupling of the invertible convolutional flow (CONF): convolution, scale and shift, gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from .cepstral import Boundary, cepstral_conv, check_boundary, lag_count, within_budget
from .coupling import Coupling, bounded, coupling_sizes
from .gate import GateFunction, GateKind

Part = Literal["conv", "scale_shift", "gate"]
ORDER: tuple[Part, ...] = ("conv", "scale_shift", "gate")


class ConvCoupling(Coupling):
    """y1 = x1, y2 = gate(scale_shift(kernel * x2)), every parameter a function of x1.

    log|det| = log|det| of the convolution + sum of log-scales + sum of the gate's log-slopes, each taken
    where its part stands. The parts run in `order` and backwards in the inverse; each can be left out.

    * conv: one kernel for each example and channel, exp of a cepstrum from the conditioner's pooled output,
      limited to |log H| <= budget. Its determinant belongs to the window.
    * scale_shift: x·exp(s) + t at every step, s = max·tanh(raw/max).
    * gate: a `GateFunction` at every step, or one for each example and channel (`gate_per="window"`).

    (B, C, T) -> (B, C, T). The identity while the conditioner gives zeros.
    Source: Karami et al., Invertible Convolutional Flow, 2019.

    Args:
        channels: C >= 2.
        conditioner: see `Coupling`; sizes by `parameter_counts` with the same flags.
        swap: change the first ceil(C/2) channels in place of the last.
        taps: K cepstral taps of the kernels.
        boundary: see `Boundary`.
        order: the parts in the order they run; those switched off are passed over.
        conv: whether to convolve.
        scale_shift: whether to scale and shift.
        gate: kind of the gate, None for no gate.
        gate_per: "step" or "window".
        max_log_scale: bound on s.
        budget: bound on |log H| of the kernels, in nats.
        gate_knots, gate_bound, gate_strength: see `GateFunction`.

    Raises ValueError where no part is left, or `order` misses one that is on.
    """

    def __init__(
        self,
        channels: int,
        conditioner: nn.Module,
        *,
        swap: bool = False,
        taps: int = 8,
        boundary: Boundary = "circular",
        order: Sequence[Part] = ORDER,
        conv: bool = True,
        scale_shift: bool = True,
        gate: GateKind | None = None,
        gate_per: Literal["step", "window"] = "step",
        max_log_scale: float = 2.0,
        budget: float = 1.0,
        gate_knots: int = 9,
        gate_bound: float = 4.0,
        gate_strength: float = 2.0,
    ) -> None:
        counts = self.parameter_counts(
            channels,
            swap=swap,
            taps=taps,
            boundary=boundary,
            conv=conv,
            scale_shift=scale_shift,
            gate=gate,
            gate_per=gate_per,
            gate_knots=gate_knots,
        )
        super().__init__(channels, conditioner, counts, swap)
        if max_log_scale <= 0 or budget <= 0:
            raise ValueError(f"max_log_scale and budget must be positive, got {max_log_scale} and {budget}")
        self.order = _parts_in_use(order, conv=conv, scale_shift=scale_shift, gate=gate is not None)
        self.boundary: Boundary = boundary
        self.taps = taps
        self.gate_per = gate_per
        self.max_log_scale = max_log_scale
        self.budget = budget
        self.gate = (
            GateFunction(gate, knots=gate_knots, bound=gate_bound, strength=gate_strength) if gate else None
        )

    @staticmethod
    def parameter_counts(
        channels: int,
        *,
        swap: bool = False,
        taps: int = 8,
        boundary: Boundary = "circular",
        conv: bool = True,
        scale_shift: bool = True,
        gate: GateKind | None = None,
        gate_per: Literal["step", "window"] = "step",
        gate_knots: int = 9,
        **_: object,
    ) -> tuple[int, int]:
        """(point-wise, pooled) parameters the conditioner must give. Flags that set no count are ignored."""
        check_boundary(boundary)
        if gate_per not in ("step", "window"):
            raise ValueError(f"gate_per must be step or window, got {gate_per!r}")
        changed = coupling_sizes(channels, swap)[1]
        gates = GateFunction(gate, knots=gate_knots).count if gate else 0
        pointwise = 2 * scale_shift + (gates if gate_per == "step" else 0)
        pooled = (lag_count(boundary, taps) if conv else 0) + (gates if gate_per == "window" else 0)
        return changed * pointwise, changed * pooled

    def _map(self, x: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._parts(x, pointwise, pooled, inverse=False)

    def _unmap(self, y: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._parts(y, pointwise, pooled, inverse=True)

    def _parts(
        self, x: Tensor, pointwise: Tensor, pooled: Tensor, inverse: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        share, whole = x.new_zeros(x.shape[0], x.shape[-1]), x.new_zeros(x.shape[0])
        for part in reversed(self.order) if inverse else self.order:
            if part == "conv":
                cepstrum = self._cepstrum(pooled)
                x, term = cepstral_conv(x, -cepstrum if inverse else cepstrum, self.boundary, self.budget)
                whole = whole + term
            elif part == "scale_shift":
                raw, shift = pointwise[:, : 2 * self.changed].chunk(2, dim=1)
                log_scale = bounded(raw, self.max_log_scale)
                x = (x - shift) * (-log_scale).exp() if inverse else x * log_scale.exp() + shift
                share = share + (-log_scale if inverse else log_scale).sum(1)
            else:
                assert self.gate is not None
                run = self.gate.inverse if inverse else self.gate.forward
                x, log_slope = run(x, self._gate_raw(pointwise, pooled))
                share = share + log_slope.sum(1)
        return x, share, whole

    def _cepstrum(self, pooled: Tensor) -> Tensor:
        """Limited cepstra (B, C2, lags)."""
        lags = lag_count(self.boundary, self.taps)
        raw = torch.unflatten(pooled[:, : self.changed * lags], 1, (self.changed, lags))
        return within_budget(raw, self.budget, self.boundary)

    def _gate_raw(self, pointwise: Tensor, pooled: Tensor) -> Tensor:
        """Raw gate parameters (B, C2, T or 1, count): the last ones of their kind."""
        assert self.gate is not None
        size = self.changed * self.gate.count
        if self.gate_per == "window":
            return torch.unflatten(pooled[:, -size:], 1, (self.changed, self.gate.count)).unsqueeze(2)
        return torch.unflatten(pointwise[:, -size:], 1, (self.changed, self.gate.count)).movedim(2, -1)


def _parts_in_use(order: Sequence[Part], **on: bool) -> tuple[Part, ...]:
    if len(set(order)) != len(order) or not set(order) <= set(ORDER):
        raise ValueError(f"order must name each of {', '.join(ORDER)} at most once, got {tuple(order)}")
    if not any(on.values()):
        raise ValueError("a coupling needs at least one of conv, scale_shift and gate")
    missing = [part for part, used in on.items() if used and part not in order]
    if missing:
        raise ValueError(f"order leaves out {', '.join(missing)}, which is switched on")
    return tuple(part for part in order if on[part])
