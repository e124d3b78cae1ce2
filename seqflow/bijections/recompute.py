"""Training in memory that does not grow with depth: activations come back through the inverse.

A stretch of reversible layers keeps its input, its output and a few marks between; the backward pass goes
from mark to mark, inverts one layer at a time, runs it again with gradients and forgets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .base import Bijection, Context
from .resolution import at_resolution

# Inputs kept in a stretch, its own among them: the errors of the inverses begin anew at each.
_MARKS = 8


def recompute(
    layers: Sequence[Bijection], x: Tensor, context: Context | None, *, shares: bool, tolerance: float
) -> tuple[Tensor, Tensor]:
    """What the layers one after another make of x (B, C, T), with its log-determinant (B,) or shares (B, T').

    The values are those of the layers; so are the gradients, up to the rounding of the inverses. At every
    mark what was recomputed is compared with what was there: where the largest error is above `tolerance`
    times the deviation of the signal, the gradients since the mark are made anew, from inputs run forward
    from it. Gradients of gradients are refused. Layers that are not `reversible`, or change the shape, keep
    what they need, as does one without a neighbour.
    """
    total = x.new_zeros(x.shape[0], x.shape[-1]) if shares else x.new_zeros(x.shape[0])
    for stretch in _stretches(layers, x):
        if len(stretch) > 1:
            x, term = _forgetful(stretch, x, context, shares, tolerance)
        else:
            x, term = _run(stretch[0], x, context, shares)
        total = (at_resolution(total, x.shape[-1]) if shares else total) + term
    return x, total


def _stretches(layers: Sequence[Bijection], x: Tensor) -> Iterator[list[Bijection]]:
    """The layers in order; reversible neighbours that keep the shape together, the others one by one."""
    shape = (x.shape[1], x.shape[2])
    stretch: list[Bijection] = []
    for layer in layers:
        before, shape = shape, layer.output_shape(*shape)
        if layer.reversible and shape == before:
            stretch.append(layer)
            continue
        if stretch:
            yield stretch
            stretch = []
        yield [layer]
    if stretch:
        yield stretch


def _run(layer: Bijection, x: Tensor, context: Context | None, shares: bool) -> tuple[Tensor, Tensor]:
    y, term = layer.local(x, context) if shares else layer(x, context)
    return y, term


@dataclass(frozen=True)
class _Plan:
    """A stretch, and how to find its tensors among those given to the function: context, then parameters."""

    layers: list[Bijection]
    keys: list[str]
    parameters: list[Tensor]
    shares: bool
    tolerance: float

    @property
    def bounds(self) -> list[int]:
        """First layers behind the marks, and the number of layers at the end."""
        count = len(self.layers)
        marks = min(_MARKS, count)
        return [count * index // marks for index in range(marks + 1)]


def _forgetful(
    layers: list[Bijection], x: Tensor, context: Context | None, shares: bool, tolerance: float
) -> tuple[Tensor, Tensor]:
    context = context or {}
    # Parameters that layers share are given once.
    parameters: list[Tensor] = list({id(p): p for layer in layers for p in layer.parameters()}.values())
    plan = _Plan(layers, list(context), parameters, shares, tolerance)
    y, total = _Stretch.apply(plan, x, *context.values(), *parameters)  # type: ignore[no-untyped-call]
    return y, total


class _Stretch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: _Plan, x: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        context = dict(zip(plan.keys, tensors, strict=False))
        total = x.new_zeros(x.shape[0], x.shape[-1]) if plan.shares else x.new_zeros(x.shape[0])
        marks = []
        for index, layer in enumerate(plan.layers):
            if index in plan.bounds:
                marks.append(x)
            x, term = _run(layer, x, context, plan.shares)
            total = total + term
        ctx.plan = plan
        ctx.save_for_backward(*marks, x, *tensors)
        return x, total

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, grad: Tensor, grad_total: Tensor) -> tuple[Tensor | None, ...]:
        plan: _Plan = ctx.plan
        bounds = plan.bounds
        # Reading them checks that no parameter has changed since.
        saved = ctx.saved_tensors
        *marks, y = saved[: len(bounds)]
        # A tensor of the context stands in the caller's graph, which a layer's gradients must not enter.
        given = [
            tensor.detach().requires_grad_(tensor.requires_grad)
            for tensor in saved[len(bounds) : len(bounds) + len(plan.keys)]
        ]
        walk = _Walk(plan, dict(zip(plan.keys, given, strict=True)), grad_total)
        for index in reversed(range(len(marks))):
            grad = walk.back(marks[index], y, grad, bounds[index], bounds[index + 1])
            y = marks[index]
        found = [walk.found.get(id(tensor)) for tensor in (*given, *plan.parameters)]
        return (None, grad if ctx.needs_input_grad[1] else None, *found)


class _Walk:
    """A way back through a stretch, collecting gradients by the identity of their tensors."""

    def __init__(self, plan: _Plan, context: Context, grad_total: Tensor) -> None:
        self.plan = plan
        self.context = context
        self.grad_total = grad_total
        self.found: dict[int, Tensor] = {}

    def back(self, mark: Tensor, y: Tensor, grad: Tensor, first: int, last: int) -> Tensor:
        """The gradient in the input of the layers first..last-1, whose input was `mark` and output y."""
        before = dict(self.found)
        x, below = y, grad
        for layer in reversed(self.plan.layers[first:last]):
            x, below = self._layer(layer, x, below)
        if _error(x, mark) <= self.plan.tolerance:
            return below
        self.found = before
        inputs = [mark]
        for layer in self.plan.layers[first : last - 1]:
            inputs.append(_run(layer, inputs[-1], self.context, self.plan.shares)[0])
        for layer in reversed(self.plan.layers[first:last]):
            x = inputs.pop()
            y, grad = self._layer(layer, y, grad, x)
            y = x
        return grad

    def _layer(
        self, layer: Bijection, y: Tensor, grad: Tensor, x: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        wanted = [t for t in (*self.context.values(), *layer.parameters()) if t.requires_grad]
        x, (below, *rest) = layer.pull_back(y, (grad, self.grad_total), wanted, self.context, x)
        assert below is not None
        for tensor, term in zip(wanted, rest, strict=True):
            if term is not None:
                # Never added to in place: what `back` may return to must stay as it is.
                known = self.found.get(id(tensor))
                self.found[id(tensor)] = term if known is None else known + term
        return x, below


def _error(x: Tensor, truth: Tensor) -> float:
    """Largest error as a multiple of the signal's root mean square; not a number counts as infinite."""
    size = truth.square().mean().sqrt().clamp(min=torch.finfo(truth.dtype).tiny)
    error = float((x - truth).abs().max() / size)
    return error if error == error else float("inf")
