"""The density of a flow as a function of some samples of a sequence, the others being known.

Shapes: sequences (n, C, T); unknown (C, T), M of its samples true; states (n, M), channel by channel.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ..bijections.base import Context
from ..flow import Flow


class Posterior:
    """-log p(unknown | known) of a flow up to a constant: -log p of the whole, which the flow has exactly.

    Potentials are in float64, gradients in the dtype of the flow's parameters: half the time, and a sampler
    with a Metropolis correction is right with any.

    Args:
        flow: taken in evaluation mode, as a copy.
        x: (n, C, T) float64 with the known samples, continuous values: nothing is added to them.
        unknown: (C, T) bool.
        context: of the n sequences; its step is not used.
    """

    def __init__(self, flow: Flow, x: Tensor, unknown: Tensor, context: Context | None = None) -> None:
        # Without gradients of its weights, which nobody asks for here.
        self.flow = copy.deepcopy(flow).eval().requires_grad_(False)
        self.exact = flow.in_float64()
        self.x = x.double()
        self.unknown = unknown
        self.dtype = next(flow.parameters()).dtype
        still = {**(context or {}), "step": x.new_zeros(len(x), dtype=torch.float64)}
        self.context = {k: v.double() if v.is_floating_point() else v for k, v in still.items()}

    def whole(self, values: Tensor) -> Tensor:
        """The sequences (n, C, T) with these values (n, M) at the unknown places."""
        x = self.x.clone()
        x[:, self.unknown] = values
        return x

    @torch.no_grad()
    def potential(self, values: Tensor) -> Tensor:
        """-log p (n,), nats, in float64."""
        return -self.exact.log_prob(self.whole(values), self.context)

    def gradient(self, values: Tensor) -> Tensor:
        """Gradient (n, M) of the potential in the values, as float64."""
        context = {k: v.to(self.dtype) if v.is_floating_point() else v for k, v in self.context.items()}
        with torch.enable_grad():
            x = self.whole(values).to(self.dtype).requires_grad_()
            (grad,) = torch.autograd.grad(-self.flow.log_prob(x, context).sum(), x)
        return grad[:, self.unknown].to(values.dtype)
