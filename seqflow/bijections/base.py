"""The contract every bijection meets.

Shapes: x is (B, C, T): batch, channels, time steps. Log-determinants are (B,), natural logarithm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..ops.gradients import gradients
from ..ops.shapes import full_precision

Context = Mapping[str, Tensor]
"""Side information of a batch. Keys in use: `step` (B,) quantisation step in the units of x,
`position` (B,) index of the first sample in its recording, `span` (B, 2) where a window begins and ends as
fractions of its recording, `condition` (B, K) features to condition on, in training alone `dither` (B,) where
the noise of a window begins, and in the inverse alone `temperature` (B,) the factor that the noise was scaled
by."""


class Bijection(nn.Module, ABC):
    """An invertible map of (B, C, T) tensors with a log-determinant.

    `forward` goes from data to noise, `inverse` from noise to data. Both return the mapped tensor and the
    log-determinant of the Jacobian *of the direction taken*, summed over channels and time, so that the two
    sum to zero. Dtype and device of the input are kept. The result for one item never depends on the others
    in its batch; nothing is changed in place.
    """

    reversible = True
    """Whether `inverse` gives the input of `forward` back up to rounding: training may then forget it and
    have it recomputed (`recompute`). False for maps that round, draw noise, or lose digits by design."""

    @abstractmethod
    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map data to noise: (B, C, T) -> (B, C', T') and log|det dy/dx| (B,) in nats."""

    @abstractmethod
    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map noise to data: (B, C', T') -> (B, C, T) and log|det dx/dz| (B,) in nats."""

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Like `forward`, with the log-determinant shared out over time: (B, C', T'), (B, T').

        The shares sum to the log-determinant. Maps that act on single steps override this with their exact
        terms; for the others (convolutions) the determinant belongs to the window as a whole and is spread
        evenly.
        """
        y, log_det = self(x, context)
        steps = y.shape[-1]
        return y, (log_det / steps).unsqueeze(-1).expand(-1, steps)

    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Set data-dependent parameters from a batch of training windows and return the mapped batch.

        The default has nothing to set. Called once, before training, without gradients.
        """
        y: Tensor = self(x, context)[0]
        return y

    def pull_back(
        self,
        y: Tensor,
        grads: tuple[Tensor, Tensor],
        wanted: Sequence[Tensor],
        context: Context | None = None,
        x: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """From the output y alone back to the input x and the gradients in (x, *wanted).

        `grads` are those of y and of the log-determinant (B,), or of the shares (B, T') of `local`. `wanted`
        are parameters or tensors of the context; None for one without influence. With x given it is not
        computed from y. Overridden where the inverse and the gradients have work in common.
        """
        with full_precision(y.device.type):
            if x is None:
                with torch.no_grad():
                    x = self.inverse(y, context)[0]
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                results = (self.local if grads[1].dim() == 2 else self)(x, context)
            return x.detach(), gradients(results, grads, (x, *wanted))

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """Shape (C', T') of the result for an input of shape (C, T).

        Raises ValueError where the input shape cannot be mapped, naming the lengths that can.
        """
        return channels, length
