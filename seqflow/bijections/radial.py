"""The amplitude of a window softened: loud and quiet windows of one shape come closer together."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.shapes import full_precision
from .base import Bijection, Context
from .coupling import bounded

Over = Literal["channel", "window"]
"""What has an amplitude: every channel of its own, or the window with all its channels."""

_MOST = 0.95
_ROUNDS = 40


class Radial(Bijection):
    """y = m + a·g(r)/r with m the mean of each channel, a = x - m, r = rms(a), g(r) = r/(1 + r/floor)^p.

    p = 0 keeps the amplitude; towards 1 it goes, but for windows quieter than the floor, which stay as they
    are: silence is no trouble. The map turns nothing: of the n dimensions of a it stretches n - 1 by g/r and
    the one along a by g', so

        log|det| = (n - 1)·ln(g/r) + ln g',   ln(g/r) = -p·ln(1 + r/floor),
        ln g' = ln(g/r) + ln(1 - p·r/(r + floor)),

    n = T - 1 for an amplitude of each channel, C·(T - 1) for one of the window: the level m is a coordinate
    of its own. p and the floor are trained. The inverse solves ln g(r) = ln r' for ln r by Newton's method,
    which needs no bracket: the slope lies between 1 - p and 1, and the curve bends one way.

    (B, C, T) -> (B, C, T), any T. The determinant belongs to the window; `local` shares it out evenly. A
    window that is all but constant loses the digits of a against m, as x itself has.

    Args:
        channels: C.
        softening: p at the start, -0.9 to 0.9; training keeps it between -0.95 and 0.95.
        floor: amplitude from which on it counts, in the units of x.
        over: see `Over`.
        trainable: whether p and the floor are trained.

    Raises ValueError where an argument is none of these.
    """

    def __init__(
        self,
        channels: int,
        softening: float = 0.4,
        floor: float = 0.1,
        over: Over = "channel",
        trainable: bool = True,
    ) -> None:
        super().__init__()
        if not -0.9 <= softening <= 0.9 or not floor > 0.0:
            raise ValueError(
                f"need a softening of -0.9 to 0.9 and a positive floor, got {softening}, {floor}"
            )
        if over not in get_args(Over):
            raise ValueError(f"over must be channel or window, got {over!r}")
        self.over: Over = over
        count = channels if over == "channel" else 1
        raw = _MOST * math.atanh(softening / _MOST)
        self.softening = nn.Parameter(torch.full((count, 1), raw), requires_grad=trainable)
        self.log_floor = nn.Parameter(torch.full((count, 1), math.log(floor)), requires_grad=trainable)

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        with full_precision(x.device.type):
            mean, a, log_r = self._parts(x)
            power, log_floor = self._settings(x)
            across, log_det = self._log_det(log_r - log_floor, power, x)
            return mean + a * across.exp(), log_det

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The amplitudes back."""
        with full_precision(z.device.type):
            mean, a, log_r = self._parts(z)
            power, log_floor = self._settings(z)
            across, log_det = self._log_det(_solve(log_r - log_floor, power), power, z)
            return mean + a * torch.exp(-across), -log_det

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Means (B, C, 1), the rest (B, C, T), and its log rms (B, C or 1, 1)."""
        mean = x.mean(-1, keepdim=True)
        a = x - mean
        power = a.square().mean(-1 if self.over == "channel" else (1, 2), keepdim=True)
        # Silence has no direction: below the least number its amplitude does not count, nor its gradient.
        return mean, a, 0.5 * power.clamp(min=torch.finfo(x.dtype).tiny).log()

    def _settings(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return bounded(self.softening.to(x.dtype), _MOST), self.log_floor.to(x.dtype)

    def _log_det(self, t: Tensor, power: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """ln(g/r) at t = ln(r/floor), and the log-determinant (B,) of the forward map."""
        across = -power * F.softplus(t)
        along = across + torch.log1p(-power * torch.sigmoid(t))
        size = (x.shape[-1] - 1) * (1 if self.over == "channel" else x.shape[1])
        return across, ((size - 1) * across + along).sum((1, 2))


def _solve(target: Tensor, power: Tensor) -> Tensor:
    """t with h(t) = t - p·ln(1 + e^t) = target, and the gradients of that."""
    with torch.no_grad():
        t = target
        for _ in range(_ROUNDS):
            t = t - (t - power * F.softplus(t) - target) / (1.0 - power * torch.sigmoid(t))
    # One more step, seen by automatic differentiation: dt = (d target - dh)/h'.
    return t - (t - power * F.softplus(t) - target) / (1.0 - power * torch.sigmoid(t))
