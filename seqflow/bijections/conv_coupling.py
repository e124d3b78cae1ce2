"""The full coupling of the invertible convolutional flow (CONF): convolution, scale and shift, gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..ops.local_filter import bounded_taps, local_filter, local_filter_inverse
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
      limited to |log H| <= budget. Its determinant belongs to the window. With `local_taps`, a filter follows
      that looks back so many steps and whose taps change from step to step; its determinant is one.
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
        conv: whether to convolve by a kernel for the whole window.
        local_taps: taps of the filter that changes from step to step; 0 leaves it out.
        scale_shift: whether to scale and shift.
        gate: kind of the gate, None for no gate.
        gate_per: "step" or "window".
        max_log_scale: bound on s.
        budget: bound on |log H| of the kernels, in nats.
        local_budget: bound on the log gain of the inverse of the local filter, in nats, see `bounded_taps`.
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
        local_taps: int = 0,
        scale_shift: bool = True,
        gate: GateKind | None = None,
        gate_per: Literal["step", "window"] = "step",
        max_log_scale: float = 2.0,
        budget: float = 1.0,
        local_budget: float = 3.0,
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
            local_taps=local_taps,
            scale_shift=scale_shift,
            gate=gate,
            gate_per=gate_per,
            gate_knots=gate_knots,
        )
        super().__init__(channels, conditioner, counts, swap)
        if min(max_log_scale, budget, local_budget) <= 0:
            raise ValueError(
                "max_log_scale, budget and local_budget must be positive, "
                f"got {max_log_scale}, {budget} and {local_budget}"
            )
        on = {"conv": conv or local_taps > 0, "scale_shift": scale_shift, "gate": gate is not None}
        self.order = _parts_in_use(order, **on)
        self.conv = conv
        self.local_taps = local_taps
        self.local_budget = local_budget
        self.points = 2 * self.changed * scale_shift
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
        local_taps: int = 0,
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
        if local_taps < 0:
            raise ValueError(f"local_taps must not be negative, got {local_taps}")
        changed = coupling_sizes(channels, swap)[1]
        gates = GateFunction(gate, knots=gate_knots).count if gate else 0
        pointwise = 2 * scale_shift + local_taps + (gates if gate_per == "step" else 0)
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
                x, term = self._convolve(x, pointwise, pooled, inverse)
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

    def _convolve(self, x: Tensor, pointwise: Tensor, pooled: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        """The kernel of the window, then the local filter; log|det| (B,)."""
        log_det = x.new_zeros(x.shape[0])
        if self.local_taps and inverse:
            x = local_filter_inverse(x, self._taps(pointwise))
        if self.conv:
            cepstrum = self._cepstrum(pooled)
            x, log_det = cepstral_conv(x, -cepstrum if inverse else cepstrum, self.boundary, self.budget)
        if self.local_taps and not inverse:
            x = local_filter(x, self._taps(pointwise))
        return x, log_det

    def _taps(self, pointwise: Tensor) -> Tensor:
        """Limited taps of the local filter (B, C2, K, T): they follow scale and shift."""
        raw = pointwise[:, self.points : self.points + self.changed * self.local_taps]
        return bounded_taps(torch.unflatten(raw, 1, (self.changed, self.local_taps)), self.local_budget)

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
