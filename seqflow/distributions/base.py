"""What every density of the noise is.

Shapes: z is (B, C, T).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Base(nn.Module, ABC):
    """A density over (C, T) noise.

    Attributes:
        channels: C.
        block: steps that it speaks of as a whole: T is a multiple of it, and blocks are independent.
        examples: windows of noise that `initialize` can make use of; 0 where it sets nothing.
    """

    block = 1
    examples = 0

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"a base density needs at least one channel, got {channels}")
        self.channels = channels

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density in nats, shared out over the noise: (B, C, T), whose sum is the log-density.

        The parts tell where in time a sequence is unlikely. Independent noise has its log-density sample by
        sample; others say how they share theirs out.
        """

    @abstractmethod
    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw (n, C, length). The draws' deviations are multiplied by `temperature`."""

    def initialize(self, z: Tensor) -> None:
        """Set parameters from the noise z (B, C, T) of training windows: called once, without gradients.

        The default has nothing to set.
        """
