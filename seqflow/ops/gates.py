"""Point-wise gates made from a regulariser phi: log f'(x) = -phi(f(x)).

Minus the log-determinant is the regulariser of the output.

x = g(y) = integral from 0 to y of exp(phi(t)) dt and y = f(x) its inverse. All functions are elementwise,
parameters broadcast; rates a >= 0, with a = 0 the identity. `*_forward(x, ...)` gives (y, log f'(x)),
`*_inverse(y, ...)` gives (x, log g'(y)). Source: Karami et al., Invertible Convolutional Flow, 2019.

Inverses of slog and asinh grow exponentially: a deep stack of them overflows. `piecewise` has linear tails.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]


def slog_forward(x: Tensor, a: Tensor) -> Pair:
    """S-Log, phi = a|y|: y = sign(x) log1p(a|x|)/a. mu-law companding is a scaled S-Log."""
    u = a * x.abs()
    return x * _log1p_ratio(u), -torch.log1p(u)


def slog_inverse(y: Tensor, a: Tensor) -> Pair:
    """x = sign(y) expm1(a|y|)/a."""
    u = a * y.abs()
    return y * _expm1_ratio(u), u


def asinh_forward(x: Tensor, a: Tensor) -> Pair:
    """phi = log cosh(sqrt(a) y): y = asinh(sqrt(a) x)/sqrt(a). a counts as in `cauchy`, per x²."""
    s = a * x.square()
    small = s < 1e-4
    u = torch.sqrt(torch.where(small, torch.ones_like(s), s))
    ratio = torch.where(small, 1 - s / 6 + 3 * s.square() / 40 - 5 * s**3 / 112, torch.asinh(u) / u)
    return x * ratio, -0.5 * torch.log1p(s)


def asinh_inverse(y: Tensor, a: Tensor) -> Pair:
    """x = sinh(sqrt(a) y)/sqrt(a)."""
    s = a * y.square()
    small = s < 1e-4
    u = torch.sqrt(torch.where(small, torch.ones_like(s), s))
    ratio = torch.where(small, 1 + s / 6 + s.square() / 120 + s**3 / 5040, torch.sinh(u) / u)
    large = u + torch.log1p(torch.exp(-2 * u)) - math.log(2.0)
    return y * ratio, torch.where(small, s / 2 - s.square() / 12 + s**3 / 45, large)


def sqrt_forward(x: Tensor, a: Tensor) -> Pair:
    """phi = log(1 + a|y|): y = sign(x)(sqrt(1 + 2a|x|) - 1)/a."""
    root = torch.sqrt(1 + 2 * a * x.abs())
    return 2 * x / (root + 1), -torch.log(root)


def sqrt_inverse(y: Tensor, a: Tensor) -> Pair:
    """x = y + a y|y|/2."""
    u = a * y.abs()
    return y * (1 + 0.5 * u), torch.log1p(u)


def boxcox_forward(x: Tensor, a: Tensor, p: Tensor) -> Pair:
    """Box-Cox, phi = p log(1 + a|y|), p > -1: y = sign(x)((1 + a(p+1)|x|)^(1/(p+1)) - 1)/a."""
    u = (p + 1) * a * x.abs()
    w = torch.log1p(u) / (p + 1)
    return x * _expm1_ratio(w) * _log1p_ratio(u), -p * w


def boxcox_inverse(y: Tensor, a: Tensor, p: Tensor) -> Pair:
    """x = sign(y)((1 + a|y|)^(p+1) - 1)/(a(p+1))."""
    u = a * y.abs()
    w = torch.log1p(u)
    return y * _expm1_ratio((p + 1) * w) * _log1p_ratio(u), p * w


def cauchy_forward(x: Tensor, a: Tensor) -> Pair:
    """phi = log(1 + a y²): y = 2/sqrt(a) sinh(asinh(1.5 sqrt(a) x)/3), the real root of y + a y³/3 = x."""
    s = a * x.square()
    small = s < 1e-4
    u = 1.5 * torch.sqrt(torch.where(small, torch.ones_like(s), s))
    ratio = torch.where(
        small, 1 - s / 3 + s.square() / 3 - 4 * s**3 / 9, 3 * torch.sinh(torch.asinh(u) / 3) / u
    )
    y = x * ratio
    return y, -torch.log1p(a * y.square())


def cauchy_inverse(y: Tensor, a: Tensor) -> Pair:
    """x = y + a y³/3."""
    s = a * y.square()
    return y * (1 + s / 3), torch.log1p(s)


def piecewise_forward(x: Tensor, knots: Tensor, log_slopes: Tensor) -> Pair:
    """phi linear between knots on the y axis and constant beyond: exact both ways, C1, linear tails.

    y = y_k + log1p(s (x - x_k) e^{-phi_k})/s with s the slope of phi on the segment.

    Args:
        x: any shape.
        knots: (K,) increasing places on the y axis, K >= 2.
        log_slopes: (..., K) values of -phi at the knots; leading axes broadcast against x.
    """
    y_k, x_k, phi_k, slope = _segments(knots, -log_slopes)
    index = _locate(x, x_k)
    y0, x0, phi0, s = (_pick(part, index) for part in (y_k, x_k, phi_k, slope))
    d = (x - x0) * torch.exp(-phi0)
    step = d * _log1p_ratio(s * d)
    return y0 + step, -(phi0 + s * step)


def piecewise_inverse(y: Tensor, knots: Tensor, log_slopes: Tensor) -> Pair:
    """x = x_k + e^{phi_k} expm1(s (y - y_k))/s. Arguments as in `piecewise_forward`."""
    y_k, x_k, phi_k, slope = _segments(knots, -log_slopes)
    index = _locate(y, y_k)
    y0, x0, phi0, s = (_pick(part, index) for part in (y_k, x_k, phi_k, slope))
    step = y - y0
    return x0 + torch.exp(phi0) * step * _expm1_ratio(s * step), phi0 + s * step


def _segments(knots: Tensor, phi: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Start (y, x), phi and its slope of the K + 1 segments, the two tails with them; x = 0 where y = 0."""
    widths = knots.diff()
    inner = phi.diff() / widths
    area = torch.exp(phi[..., :-1]) * widths * _expm1_ratio(inner * widths)
    x = torch.cat((torch.zeros_like(phi[..., :1]), area.cumsum(-1)), -1)
    flat = torch.zeros_like(phi[..., :1])
    parts = (
        torch.cat((knots[:1], knots)).expand(*phi.shape[:-1], -1),
        torch.cat((x[..., :1], x), -1),
        torch.cat((phi[..., :1], phi), -1),
        torch.cat((flat, inner, flat), -1),
    )
    origin = phi.new_zeros(phi.shape[:-1])
    index = _locate(origin, parts[0])
    y0, x0, phi0, s = (_pick(part, index) for part in parts)
    at_zero = x0 + torch.exp(phi0) * (origin - y0) * _expm1_ratio(s * (origin - y0))
    return parts[0], parts[1] - at_zero.unsqueeze(-1), parts[2], parts[3]


def _locate(value: Tensor, starts: Tensor) -> Tensor:
    """Index of the segment a value lies in; the first start belongs to the left tail and bounds nothing."""
    return (value.unsqueeze(-1) >= starts[..., 1:]).sum(-1)


def _pick(table: Tensor, index: Tensor) -> Tensor:
    return table.expand(*index.shape, table.shape[-1]).gather(-1, index.unsqueeze(-1)).squeeze(-1)


def _log1p_ratio(u: Tensor) -> Tensor:
    """log1p(u)/u, 1 at u = 0, with its gradient."""
    small = u.abs() < 1e-3
    safe = torch.where(small, torch.ones_like(u), u)
    series = 1 - u * (1 / 2 - u * (1 / 3 - u * (1 / 4 - u * (1 / 5 - u / 6))))
    return torch.where(small, series, torch.log1p(safe) / safe)


def _expm1_ratio(u: Tensor) -> Tensor:
    """expm1(u)/u, 1 at u = 0, with its gradient."""
    small = u.abs() < 1e-3
    safe = torch.where(small, torch.ones_like(u), u)
    series = 1 + u / 2 * (1 + u / 3 * (1 + u / 4 * (1 + u / 5)))
    return torch.where(small, series, torch.expm1(safe) / safe)
