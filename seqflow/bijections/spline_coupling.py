"""Coupling by a monotone rational-quadratic spline at every step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .coupling import Coupling, bounded, coupling_sizes


class Spline(NamedTuple):
    """Knots of splines: positions x and y, (..., K + 1) each, and slopes there. Slopes at both ends are 1.

    The leading axes broadcast against the values that a spline is applied to.
    """

    x: Tensor
    y: Tensor
    slope: Tensor


def spline_from(raw: Tensor, bins: int, bound: float, max_raw: float) -> Spline:
    """Knots on [-bound, bound]² from unbounded parameters (..., 3·bins - 1); zeros give the identity.

    Widths and heights are softmaxes, slopes exponentials; the raw values are bounded by ±max_raw first, which
    bounds every slope.
    """
    raw = bounded(raw, max_raw)
    widths, heights, slopes = torch.split(raw, [bins, bins, bins - 1], dim=-1)
    ends = F.pad(slopes, (1, 1))
    return Spline(_knots(widths, bound), _knots(heights, bound), ends.exp())


def spline_forward(x: Tensor, spline: Spline) -> tuple[Tensor, Tensor]:
    """y = f(x) and log f'(x), elementwise; the identity outside of the knots.

    In the bin [x_k, x_k+1], with θ = (x - x_k)/Δx and the bin's mean slope s = Δy/Δx:
    y = y_k + Δy (s θ² + d_k θ(1-θ)) / (s + (d_k+1 + d_k - 2s) θ(1-θ)).
    Source: Gregory and Delbourgo, 1982; Durkan et al., Neural Spline Flows, 2019.
    """
    inside, clamped = _inside(x, spline.x)
    x0, width, y0, height, d0, d1 = _bin(clamped, spline.x, spline)
    s = height / width
    theta = (clamped - x0) / width
    mixed = theta * (1.0 - theta)
    denominator = s + (d1 + d0 - 2.0 * s) * mixed
    y = y0 + height * (s * theta.square() + d0 * mixed) / denominator
    log_slope = _log_slope(s, theta, mixed, d0, d1, denominator)
    return torch.where(inside, y, x), torch.where(inside, log_slope, torch.zeros_like(x))


def spline_inverse(y: Tensor, spline: Spline) -> tuple[Tensor, Tensor]:
    """x with `spline_forward(x)` = y, and the log-derivative of the inverse.

    The root of a quadratic in θ, in the form without cancellation.
    """
    inside, clamped = _inside(y, spline.y)
    x0, width, y0, height, d0, d1 = _bin(clamped, spline.y, spline)
    s = height / width
    eta = (clamped - y0) * (d1 + d0 - 2.0 * s)
    a = height * (s - d0) + eta
    b = height * d0 - eta
    c = -s * (clamped - y0)
    theta = 2.0 * c / (-b - torch.sqrt((b.square() - 4.0 * a * c).clamp(min=0.0)))
    mixed = theta * (1.0 - theta)
    log_slope = _log_slope(s, theta, mixed, d0, d1, s + (d1 + d0 - 2.0 * s) * mixed)
    x = x0 + theta * width
    return torch.where(inside, x, y), torch.where(inside, -log_slope, torch.zeros_like(y))


def _knots(raw: Tensor, bound: float) -> Tensor:
    inner = torch.softmax(raw, -1).cumsum(-1)[..., :-1] * (2.0 * bound) - bound
    end = torch.full_like(raw[..., :1], bound)
    return torch.cat((-end, inner, end), -1)


def _inside(x: Tensor, knots: Tensor) -> tuple[Tensor, Tensor]:
    low, high = knots[..., 0], knots[..., -1]
    # The unused branch of a `where` must be finite for its gradient to vanish.
    return (x > low) & (x < high), torch.maximum(torch.minimum(x, high), low)


def _bin(x: Tensor, knots: Tensor, spline: Spline) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    index = (x.unsqueeze(-1) >= knots[..., 1:-1]).sum(-1, keepdim=True)

    def at(values: Tensor) -> tuple[Tensor, Tensor]:
        values = values.expand(*index.shape[:-1], -1)
        return values.gather(-1, index).squeeze(-1), values.gather(-1, index + 1).squeeze(-1)

    (x0, x1), (y0, y1), (d0, d1) = at(spline.x), at(spline.y), at(spline.slope)
    return x0, x1 - x0, y0, y1 - y0, d0, d1


def _log_slope(
    s: Tensor, theta: Tensor, mixed: Tensor, d0: Tensor, d1: Tensor, denominator: Tensor
) -> Tensor:
    numerator = d1 * theta.square() + 2.0 * s * mixed + d0 * (1.0 - theta).square()
    return 2.0 * torch.log(s / denominator) + torch.log(numerator)


class SplineCoupling(Coupling):
    """y2 = spline(x2), every step and channel with a spline of its own from conditioner(x1).

    The spline is monotone on [-bound, bound], with slope 1 at its ends and the identity beyond. So the data
    here should be of unit scale. log|det| = sum log f'. (B, C, T) -> (B, C, T).

    Args:
        channels: C >= 2.
        conditioner: gives P = C2·(3·bins - 1) point-wise parameters and no pooled ones.
        swap: change the first ceil(C/2) channels in place of the last.
        bins: K >= 2 pieces.
        bound: where the linear tails begin.
        max_raw: bound on the raw widths, heights and log-slopes.
    """

    def __init__(
        self,
        channels: int,
        conditioner: nn.Module,
        *,
        swap: bool = False,
        bins: int = 8,
        bound: float = 4.0,
        max_raw: float = 2.0,
    ) -> None:
        if bins < 2 or bound <= 0 or max_raw <= 0:
            raise ValueError(f"need bins >= 2 and positive bounds, got {bins}, {bound}, {max_raw}")
        super().__init__(channels, conditioner, self.parameter_counts(channels, swap=swap, bins=bins), swap)
        self.bins = bins
        self.bound = bound
        self.max_raw = max_raw

    @staticmethod
    def parameter_counts(channels: int, *, swap: bool = False, bins: int = 8, **_: object) -> tuple[int, int]:
        """(point-wise, pooled) parameters the conditioner must give. Flags that set no count are ignored."""
        return coupling_sizes(channels, swap)[1] * (3 * bins - 1), 0

    def _map(self, x: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, log_slope = spline_forward(x, self._spline(pointwise))
        return y, log_slope.sum(1), x.new_zeros(x.shape[0])

    def _unmap(self, y: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, log_slope = spline_inverse(y, self._spline(pointwise))
        return x, log_slope.sum(1), y.new_zeros(y.shape[0])

    def _spline(self, pointwise: Tensor) -> Spline:
        raw = torch.unflatten(pointwise, 1, (self.changed, 3 * self.bins - 1)).movedim(2, -1)
        return spline_from(raw, self.bins, self.bound, self.max_raw)
