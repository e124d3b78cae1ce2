"""A batch of windows, as models take it.

Shapes: x (B, C, T); mask (B, T); position, step, dither (B,); span (B, 2); condition (B, K).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Windows of recordings.

    Attributes:
        x: (B, C, T) float32, units of the data; 0 where a sample is not valid.
        mask: (B, T) bool, true where the sample is there and valid in every channel.
        position: (B,) int64, index of the first sample of each window in its whole recording.
        step: (B,) float32, quantisation step in the units of x; 0 for continuous data.
        span: (B, 2) float32, where each window begins and ends as fractions of its recording, or of the part
            of it that was given, filled-up samples counted; two equal numbers where that is not told.
        condition: (B, K) float32, values of conditions by `Classes.one_hot`, zeros for unknown ones; None
            for data without conditions.
        dither: (B,) int64, where the noise of each training window begins, see `Dequantize`; None for windows
            that are not trained on: their noise belongs to the position.
    """

    x: Tensor
    mask: Tensor
    position: Tensor
    step: Tensor
    span: Tensor | None = None
    condition: Tensor | None = None
    dither: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def context(self) -> dict[str, Tensor]:
        """What the layers of a flow may ask for: `position`, `step`, and what else there is."""
        known = {"position": self.position, "step": self.step}
        more = {"span": self.span, "condition": self.condition, "dither": self.dither}
        return known | {key: value for key, value in more.items() if value is not None}

    def tensors(self) -> dict[str, Tensor]:
        """All tensors there are, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """Some of the windows; a slice shares memory with this batch."""
        return Batch(**{name: tensor[index] for name, tensor in self.tensors().items()})

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return Batch(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def split(self, size: int) -> Iterator[Batch]:
        """Micro-batches of `size` windows in order, the last of them shorter. They share memory with this."""
        if size < 1:
            raise ValueError(f"a micro-batch holds at least 1 window, got {size}")
        for at in range(0, len(self), size):
            yield self[at : at + size]

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """At least one batch, all with or all without a condition and a dither, one after another."""
        parts = [batch.tensors() for batch in batches]
        return Batch(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})
