"""The table of bijections the laws of test_contract.py are checked on, and the tools to do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqflow.bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    CausalConv,
    Chain,
    ChannelMix,
    CircularConv,
    Context,
    ConvCoupling,
    Dequantize,
    Gate,
    Inverse,
    LevelPyramid,
    MultichannelConv,
    MultiScale,
    Radial,
    SpectralPyramid,
    Spectrum,
    SplineCoupling,
    Squeeze,
    Standardize,
    SymmetricConv,
    Whitening,
    coupling_sizes,
)
from seqflow.networks import ConvConditioner


class TinyConditioner(nn.Module):
    """The smallest thing that keeps a conditioner's protocol: a convolution, and heads that start at zero."""

    def __init__(self, channels: int, pointwise: int, pooled: int, condition_size: int = 0) -> None:
        super().__init__()
        self.enter = nn.Conv1d(channels, 6, 3, padding=1)
        self.pointwise = nn.Conv1d(6, pointwise, 1) if pointwise else None
        self.pooled = nn.Linear(6, pooled) if pooled else None
        self.condition = nn.Linear(condition_size, 6) if condition_size else None
        for head in (self.pointwise, self.pooled):
            for parameter in head.parameters() if head else ():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, condition: Tensor | None, span: Tensor | None) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            h = self.enter(x)
            if self.condition is not None:
                assert condition is not None
                h = h + self.condition(condition).unsqueeze(-1)
            h = torch.tanh(h)
            pooled = self.pooled(h.mean(-1)) if self.pooled else x.new_zeros(x.shape[0], 0)
            pointwise = self.pointwise(h) if self.pointwise else x.new_zeros(x.shape[0], 0, x.shape[-1])
            return pointwise, pooled


@dataclass(frozen=True)
class Case:
    """One row: how to make a bijection and what may be asked of it."""

    name: str
    make: Callable[[], Bijection]
    channels: int = 2
    divisor: int = 1
    identity: bool = False
    condition_size: int = 0

    @property
    def lengths(self) -> list[int]:
        """Lengths near 8, 9, 12 and 17 that the bijection can map, without repeats."""
        return sorted({round(length / self.divisor) * self.divisor for length in (8, 9, 12, 17)})


def coupling(
    kind: Callable[..., Bijection],
    channels: int = 3,
    swap: bool = False,
    condition_size: int = 0,
    **flags: object,
) -> Bijection:
    """A coupling with a tiny conditioner of the right sizes. `flags` that set no count pass through."""
    counts = kind.parameter_counts(channels, swap=swap, **flags)  # type: ignore[attr-defined]
    untouched, _ = coupling_sizes(channels, swap)
    return kind(channels, TinyConditioner(untouched, *counts, condition_size), swap=swap, **flags)


def context_for(case: Case, batch: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """The context a row needs."""
    if not case.condition_size:
        return {}
    return {"condition": torch.randn(batch, case.condition_size, dtype=dtype)}


@torch.no_grad()
def perturb(bijection: nn.Module, scale: float = 0.3) -> None:
    """Move every parameter, heads of conditioners included, away from where it starts."""
    for parameter in bijection.parameters():
        parameter.add_(scale * torch.randn_like(parameter))


def jacobian(bijection: Bijection, x: Tensor, context: Context) -> tuple[Tensor, Tensor]:
    """Jacobian (C·T, C·T) at one item x (C, T) by autograd, and the bijection's own log-determinant there.

    Items of a batch are independent, so a batch of copies gives all rows in one backward pass.
    """
    count = x.numel()
    copies = x.expand(count, *x.shape).clone().requires_grad_()
    spread = {key: value.expand(count, *value.shape) for key, value in context.items()}
    y, log_det = bijection(copies, spread)
    (rows,) = torch.autograd.grad(y.reshape(count, count).diagonal().sum(), copies)
    return rows.reshape(count, count), log_det[0].detach()


_SIMPLE = [
    Case("actnorm", lambda: ActNorm(3), channels=3),
    Case("affine", lambda: coupling(AffineCoupling), channels=3, identity=True),
    Case("affine-swap", lambda: coupling(AffineCoupling, swap=True), channels=3, identity=True),
    Case(
        "affine-condition",
        lambda: coupling(AffineCoupling, 4, condition_size=2),
        channels=4,
        identity=True,
        condition_size=2,
    ),
    Case("chain", lambda: Chain([ActNorm(2), ChannelMix(2), coupling(AffineCoupling, 2)])),
    Case("channel-mix", lambda: ChannelMix(4), channels=4),
    Case("dequantize-no-step", Dequantize, identity=True),
    Case("inverse", lambda: Inverse(Chain([ActNorm(2), coupling(SplineCoupling, 2)]))),
    Case("inverse-squeeze", lambda: Chain([Squeeze(2), ActNorm(4), Inverse(Squeeze(2))]), divisor=2),
    Case(
        "multi-scale",
        lambda: MultiScale(
            [
                Chain([Squeeze(2), coupling(AffineCoupling, 6)]),
                Chain([ActNorm(3), Squeeze(2)]),
                coupling(AffineCoupling, 3, swap=True),
            ]
        ),
        channels=3,
        divisor=4,
    ),
    Case("level-window", lambda: LevelPyramid(2)),
    Case("level-pyramid", lambda: LevelPyramid(2, 2, hidden=3, knots=4)),
    Case("level-pyramid-groups", lambda: LevelPyramid(3, 2, groups=(2, 1), hidden=3, clock=2), channels=3),
    Case("level-pyramid-odd", lambda: LevelPyramid(3, 5, hidden=3, knots=4), channels=3),
    Case("level-pyramid-condition", lambda: LevelPyramid(2, 3, hidden=3, condition_size=2), condition_size=2),
    Case("radial", lambda: Radial(2)),
    Case("radial-window", lambda: Radial(3, 0.8, 0.5, "window"), channels=3),
    Case("radial-expanding", lambda: Radial(2, -0.7, 0.2)),
    Case("spectral-pyramid", lambda: SpectralPyramid(2, 4, hidden=3, knots=4)),
    Case("spectral-pyramid-groups", lambda: SpectralPyramid(3, 5, groups=(2, 1), hidden=3), channels=3),
    Case(
        "spectral-pyramid-condition",
        lambda: SpectralPyramid(2, 3, hidden=3, condition_size=2),
        condition_size=2,
    ),
    Case("spectral-pyramid-frames", lambda: SpectralPyramid(2, 2, frame=5, hidden=3, knots=4)),
    Case("spectrum", lambda: Spectrum([coupling(AffineCoupling, 2)]), identity=True),
    Case(
        "spectrum-frames", lambda: Spectrum([Chain([ActNorm(3), coupling(AffineCoupling, 3)])], 5), channels=3
    ),
    Case("spectrum-squeeze", lambda: Spectrum([Chain([Squeeze(2), coupling(AffineCoupling, 4)])], 4)),
    Case(
        "spectrum-groups",
        lambda: Spectrum(
            [Chain([Squeeze(2), coupling(AffineCoupling, 2)]), Chain([ActNorm(1)])], 6, groups=(2, 1)
        ),
        channels=3,
    ),
    Case(
        "spectrum-condition",
        lambda: Spectrum([coupling(AffineCoupling, 2, condition_size=2)], 5),
        condition_size=2,
        identity=True,
    ),
    Case("spline", lambda: coupling(SplineCoupling), channels=3, identity=True),
    Case("spline-swap", lambda: coupling(SplineCoupling, swap=True, bins=3), channels=3, identity=True),
    Case("squeeze", lambda: Chain([Squeeze(3), ActNorm(6)]), divisor=3),
    Case("standardize", lambda: Standardize(2)),
]

# Lags on both sides of the shortest window's length: long cepstra wrap around.
_CONVOLUTIONS = [
    Case("circular", lambda: CircularConv(2, 3), identity=True),
    Case("circular-long", lambda: CircularConv(2, 11, budget=2.0), identity=True),
    Case("symmetric", lambda: SymmetricConv(2, 4), identity=True),
    Case("symmetric-long", lambda: SymmetricConv(2, 20, budget=2.0), identity=True),
    Case("symmetric-whole", lambda: SymmetricConv(2, 4, "whole"), identity=True),
    Case("causal", lambda: CausalConv(2, 4), identity=True),
    Case("causal-long", lambda: CausalConv(2, 10, budget=2.0), identity=True),
    Case("multichannel", lambda: MultichannelConv(3, 2), channels=3, identity=True),
    Case("multichannel-long", lambda: MultichannelConv(2, 10, budget=2.0), identity=True),
    Case("whitening", lambda: Whitening(2, 5)),
    Case("whitening-long", lambda: Whitening(2, 9, "symmetric", "log_mean")),
    Case("whitening-circular", lambda: Whitening(2, 6, "circular")),
    Case("whitening-causal", lambda: Whitening(2, 4, "causal")),
]

_GATES = [
    Case(f"gate-{kind}", lambda kind=kind: Gate(2, kind), identity=True)
    for kind in ("piecewise", "slog", "asinh", "sqrt", "cauchy", "boxcox", "l2")
]

_BOUNDARIES = ("circular", "symmetric", "whole", "causal")
_ORDERS = (("conv", "gate", "scale_shift"), ("scale_shift", "conv", "gate"), ("gate", "scale_shift", "conv"))


def _conf(name: str, channels: int = 3, condition_size: int = 0, **flags: object) -> Case:
    return Case(
        f"conf-{name}",
        lambda: coupling(ConvCoupling, channels, condition_size=condition_size, **flags),
        channels=channels,
        identity=True,
        condition_size=condition_size,
    )


def _with_network(condition_size: int) -> Bijection:
    """A coupling with the conditioner that recipes have, told a condition."""
    counts = ConvCoupling.parameter_counts(2, taps=3, gate="piecewise")
    network = ConvConditioner(
        1,
        *counts,
        hidden=4,
        layers=1,
        kernel=3,
        skip_kernel=3,
        level_scales=(1, 3),
        condition_size=condition_size,
    )
    return ConvCoupling(2, network, taps=3, gate="piecewise")


_COUPLINGS = [
    *(_conf(boundary, boundary=boundary, taps=3) for boundary in _BOUNDARIES),
    *(_conf("-".join(order), order=order, gate="piecewise", taps=3, swap=True) for order in _ORDERS),
    *(_conf(f"gate-{kind}", gate=kind, taps=2) for kind in ("slog", "asinh", "boxcox")),
    _conf("gate-per-window", gate="piecewise", gate_per="window", gate_knots=4),
    _conf("conv-only", scale_shift=False),
    _conf("gate-only", conv=False, scale_shift=False, gate="piecewise"),
    _conf("local", local_taps=3, gate="piecewise", swap=True),
    _conf("local-only", conv=False, local_taps=20, scale_shift=False, local_budget=1.0),
    _conf("condition", 2, condition_size=3, gate="piecewise"),
    Case("conf-condition-net", lambda: _with_network(3), channels=2, identity=True, condition_size=3),
]

_FLOWS = [
    Case(
        "flow",
        lambda: Chain(
            [
                Dequantize(),
                Standardize(1),
                Whitening(1, 5),
                Squeeze(2),
                coupling(ConvCoupling, 2, taps=3, gate="piecewise"),
                ChannelMix(2),
                coupling(AffineCoupling, 2),
            ]
        ),
        channels=1,
        divisor=2,
    )
]

CASES = [*_SIMPLE, *_CONVOLUTIONS, *_GATES, *_COUPLINGS, *_FLOWS]
