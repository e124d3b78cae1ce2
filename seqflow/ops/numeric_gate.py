"""A gate from any regulariser phi, where no formula is known: quadrature one way, a root the other.

As in `ops.gates`, x = g(y) = integral from 0 to y of exp(phi(t)) dt and y = f(x) is its inverse, so that
log f'(x) = -phi(f(x)). phi(y, *parameters) acts on each element; parameters broadcast against x and must be
arguments, for their gradients to be found.

g is a Gauss-Legendre sum over equal panels of [0, y], in the log domain. With the default rule its relative
error for phi = a y²/2 is below 1e-12 up to phi(y) = 50. Steeper regularisers need more panels; kinks but at 0
cost digits. Memory: as many copies of x as there are nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .tables import remembered

Pair = tuple[Tensor, Tensor]
Phi = Callable[..., Tensor]

# Doublings of the bracket, and steps within it: more than any root in range of float64 needs.
_DOUBLINGS = 128
_STEPS = 200


class Rule(NamedTuple):
    """Quadrature: equal panels, and Gauss-Legendre nodes in each."""

    panels: int = 4
    nodes: int = 16


DEFAULT = Rule()


def numeric_forward(x: Tensor, phi: Phi, *parameters: Tensor, rule: Rule = DEFAULT) -> Pair:
    """y = f(x) and log f'(x) = -phi(y), by Newton's method inside a bracket.

    Gradients are those of the implicit function, dy/dx = exp(-phi(y)); first derivatives only. Raises
    ValueError where g never reaches x.
    """
    y: Tensor = _Root.apply(x, phi, rule, *parameters)  # type: ignore[no-untyped-call, unused-ignore]
    return y, -phi(y, *parameters)


def numeric_inverse(y: Tensor, phi: Phi, *parameters: Tensor, rule: Rule = DEFAULT) -> Pair:
    """x = g(y) and log g'(y) = phi(y)."""
    return _area(y, phi, parameters, rule), phi(y, *parameters)


def l2(y: Tensor, a: Tensor) -> Tensor:
    """phi = a y²/2."""
    return 0.5 * a * y.square()


def l2_forward(x: Tensor, a: Tensor) -> Pair:
    """phi = a y²/2, a >= 0: the inverse of a scaled erfi. y grows as sqrt(log x)."""
    return numeric_forward(x, l2, a)


def l2_inverse(y: Tensor, a: Tensor) -> Pair:
    """x = sqrt(pi/2a) erfi(y sqrt(a/2)): overflows float32 from a y² = 180 on."""
    return numeric_inverse(y, l2, a)


class _Root(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, phi: Phi, rule: Rule, *parameters: Tensor) -> Tensor:
        y = _solve(x, phi, parameters, rule)
        ctx.phi, ctx.rule = phi, rule
        ctx.save_for_backward(y, *parameters)
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # x = g(y; p) for all x and p: dy/dx = exp(-phi(y)), dy/dp = -exp(-phi(y)) dg/dp.
        y, *parameters = ctx.saved_tensors
        grad_x = grad * torch.exp(-ctx.phi(y, *parameters))
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[3:]) if needed]
        grads: list[Tensor | None] = [None] * len(parameters)
        if wanted:
            with torch.enable_grad():
                fresh = [p.detach().requires_grad_(i in wanted) for i, p in enumerate(parameters)]
                area = _area(y, ctx.phi, fresh, ctx.rule)
            found = torch.autograd.grad(area, [fresh[i] for i in wanted], -grad_x, allow_unused=True)
            for index, value in zip(wanted, found, strict=True):
                grads[index] = value
        return grad_x, None, None, *grads


def _solve(x: Tensor, phi: Phi, parameters: tuple[Tensor, ...], rule: Rule) -> Tensor:
    """The root of log g(y) = log x in |y|: in the log domain nothing overflows, and steps are long."""
    sign = x.sign()
    size = x.abs().clamp(min=torch.finfo(x.dtype).tiny)
    target = size.log()

    def excess(r: Tensor) -> Tensor:
        return r.log() + _log_mean(sign * r, phi, parameters, rule) - target

    low, high = torch.zeros_like(size), size
    for _ in range(_DOUBLINGS):
        short = excess(high) < 0
        if not short.any():
            break
        low, high = torch.where(short, high, low), torch.where(short, 2.0 * high, high)
    else:
        raise ValueError("the gate of this phi never reaches some of the values: its range is bounded")
    r = high
    accuracy = 2.0 * torch.finfo(x.dtype).eps
    rounding = 8.0 * accuracy * (1.0 + target.abs())
    for _ in range(_STEPS):
        error = excess(r)
        low, high = torch.where(error < 0, r, low), torch.where(error < 0, high, r)
        # d log g / dr = exp(phi) / g, and log g is target + error.
        step = r - error * torch.exp(target + error - phi(sign * r, *parameters))
        # Far from the root the sum is poor and disagrees with the slope: halve the bracket there.
        trusted = (step >= low) & (step <= high) & (error.abs() < 8.0)
        following = torch.where(trusted, step, 0.5 * (low + high))
        settled = ((following - r).abs() <= accuracy * r) | (error.abs() <= rounding)
        r = following
        if settled.all():
            break
    return sign * r


def _area(y: Tensor, phi: Phi, parameters: Any, rule: Rule) -> Tensor:
    """g(y)."""
    return y * _log_mean(y, phi, parameters, rule).exp()


def _log_mean(y: Tensor, phi: Phi, parameters: Any, rule: Rule) -> Tensor:
    """Log of the mean of exp(phi) over [0, y]."""
    places, log_weights = _gauss(rule.panels, rule.nodes, y.device, y.dtype).reshape(2, -1, *[1] * y.dim())
    return torch.logsumexp(phi(places * y, *parameters) + log_weights, 0)


@remembered
def _gauss(panels: int, nodes: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Places in (0, 1) and the logs of their weights, which sum to 1: (2, panels·nodes)."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    starts = np.arange(panels)[:, None]
    places = (starts + (places + 1.0) / 2.0) / panels
    logs = np.log(weights / 2.0 / panels) + np.zeros_like(starts)
    return torch.tensor(np.stack((places.ravel(), logs.ravel()))).to(device, dtype)
