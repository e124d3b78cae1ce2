"""A batch of windows, as models take it.

Shapes: x (B, C, T); mask (B, T); position, step (B,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
    """

    x: Tensor
    mask: Tensor
    position: Tensor
    step: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def context(self) -> dict[str, Tensor]:
        """What the layers of a flow may ask for: `position` and `step`."""
        return {"position": self.position, "step": self.step}

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return Batch(self.x.to(device), self.mask.to(device), self.position.to(device), self.step.to(device))

    def split(self, size: int) -> Iterator[Batch]:
        """Micro-batches of `size` windows in order, the last of them shorter. They share memory with this."""
        if size < 1:
            raise ValueError(f"a micro-batch holds at least 1 window, got {size}")
        for at in range(0, len(self), size):
            part = slice(at, at + size)
            yield Batch(self.x[part], self.mask[part], self.position[part], self.step[part])
