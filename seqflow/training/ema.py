"""The average of the weights over the steps: what is validated and kept."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ..flow import Flow


class Average:
    """A copy of a flow that follows it: average ← d·average + (1 - d)·weights.

    d = min(memory, (1 + t)/(10 + t)) behind step t = 0, 1, ...: the start is forgotten soon, so that no
    correction for its bias is needed. Buffers are copied. `flow` stays in evaluation mode.
    """

    def __init__(self, flow: Flow, memory: float) -> None:
        self.flow = copy.deepcopy(flow).eval().requires_grad_(False)
        self._memory = memory

    @torch.no_grad()
    def update(self, flow: Flow, step: int) -> None:
        """Take in the weights of the flow after step number `step`, counted from 0."""
        decay = min(self._memory, (1.0 + step) / (10.0 + step))
        averages = [parameter.data for parameter in self.flow.parameters()]
        weights = [parameter.data for parameter in flow.parameters()]
        torch._foreach_lerp_(averages, weights, 1.0 - decay)
        for own, other in zip(self.flow.buffers(), flow.buffers(), strict=True):
            own.copy_(other)

    def tensors(self) -> dict[str, Tensor]:
        """A copy of the averaged weights and buffers, on the CPU."""
        return {name: tensor.detach().cpu().clone() for name, tensor in self.flow.state_dict().items()}
