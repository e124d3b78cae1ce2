"""Windows of a recording through the flow, told what the flow may ask for.

Shapes: windows (B, C, W); span (B, 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ..flow import Flow
from .passes import FlowPass, flow_pass
from .slide import Window


class WindowPass:
    """Sends windows of one recording through the flow.

    The flow runs in evaluation mode (noise of dequantisation addressed by position) and is put back into its
    mode afterwards. What it is not told counts as unknown.

    Args:
        flow: the model.
        step: quantisation step in the units of the values; None where there is none.
        conditions: what is declared about the recording.
        start: index in the whole recording of sample 0.
        length: samples of the recording, which the place of a window in it is a fraction of; None: not known,
            and the flow is not told the place.
        background: another model, which is sent the same windows and told the same.
    """

    def __init__(
        self,
        flow: Flow,
        step: float | None,
        conditions: Mapping[str, str],
        *,
        start: int,
        length: int | None,
        background: Flow | None = None,
    ) -> None:
        self._flow = flow
        self._like = _like(flow)
        # 0 as in training: no lattice, no noise.
        self._step = step or 0.0
        self._start = start
        self._length = length
        self._condition: Tensor | None = None
        if flow.classes:
            self._condition = torch.from_numpy(flow.classes.vector(conditions)).to(self._like)
        self._background: WindowPass | None = None
        if background is not None:
            self._background = WindowPass(background, step, conditions, start=start, length=length)

    def __call__(self, windows: Sequence[Window]) -> FlowPass:
        """One pass of at least one window, all of a length."""
        # Finite values beyond the range of the flow's dtype stay finite.
        x = torch.from_numpy(np.stack([window.values for window in windows])).to(self._like)
        x = torch.nan_to_num(x)
        context = self.context([w.start for w in windows], x.shape[-1], self._step)
        training = self._flow.training
        try:
            if training:
                self._flow.eval()
            found = flow_pass(self._flow, x, context)
        finally:
            if training:
                self._flow.train()
        background = None if self._background is None else self._background(windows).nll
        return replace(found, step=self._step, background=background)

    def context(self, starts: Sequence[int], size: int, step: float) -> dict[str, Tensor]:
        """What the flow is told of windows of `size` samples that begin at `starts`, in its dtype.

        `step` is that of their values; 0 for continuous ones.
        """
        like, count = self._like, len(starts)
        context = {
            "position": torch.tensor([self._start + start for start in starts], device=like.device),
            "step": like.new_full((count,), step),
            "span": self._spans(starts, size).to(like),
        }
        if self._condition is not None:
            context["condition"] = self._condition.expand(count, -1)
        return context

    def _spans(self, starts: Sequence[int], size: int) -> Tensor:
        """Begin and end of each window as fractions of the recording; two equal numbers: not told."""
        if self._length is None:
            return torch.zeros(len(starts), 2, dtype=torch.float64)
        ends = [(start, start + size) for start in starts]
        return torch.tensor(ends, dtype=torch.float64) / max(self._length, 1)


def _like(flow: Flow) -> Tensor:
    """A tensor of the flow's device and floating dtype."""
    for tensor in chain(flow.parameters(), flow.buffers()):
        if tensor.is_floating_point():
            return tensor.detach()
    return torch.zeros(0)
