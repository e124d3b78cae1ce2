"""Learned circular convolution that mixes channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..ops.multichannel import matrix_cepstral_log_det, matrix_log_spectrum, multichannel_conv
from ..ops.shapes import as_batch, full_precision
from .base import Bijection, Context
from .memory import Memory


class MultichannelConv(Bijection):
    """rfft(y)_k = exp(L_k) rfft(x)_k with a C x C matrix L_k = rfft(C_n) for each bin.

    C_n are learned real matrices at the lags -(K-1)..K-1, so exp(L_k) is never singular, for T >= K
    log|det| = T·trace(C_0), and the inverse is the convolution by exp(-L_k). sum_n ||C_n|| (Frobenius) is
    limited to `budget`: no singular value of exp(L_k) leaves [exp(-budget), exp(budget)]. The identity at the
    start. Cost: one C x C matrix exponential a bin. Source: Hoogeboom et al., The Convolution Exponential,
    2020, here in closed form.

    Args:
        channels: C.
        taps: K >= 1.
        budget: see above, in nats.
    """

    def __init__(self, channels: int, taps: int, budget: float = 0.25) -> None:
        super().__init__()
        if taps < 1 or budget <= 0:
            raise ValueError(f"need taps >= 1 and a positive budget, got {taps} and {budget}")
        self.budget = budget
        self.cepstrum = nn.Parameter(torch.zeros(2 * taps - 1, channels, channels))
        self._memory: Memory[tuple[Tensor, Tensor]] = Memory()

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        return self._run(x, inverse=False)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The same convolution with minus the cepstrum."""
        return self._run(z, inverse=True)

    def _run(self, x: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        length = x.shape[-1]

        def make() -> tuple[Tensor, Tensor]:
            cepstrum = self._limited(x.dtype)
            cepstrum = -cepstrum if inverse else cepstrum
            spectrum = torch.matrix_exp(matrix_log_spectrum(cepstrum, length))
            return spectrum, matrix_cepstral_log_det(cepstrum, length)

        with full_precision(x.device.type):
            key = (length, x.dtype, inverse)
            spectrum, log_det = self._memory.recall(self, self.cepstrum, key, make)
            return multichannel_conv(x, spectrum), as_batch(log_det, x.shape[0])

    def _limited(self, dtype: torch.dtype) -> Tensor:
        cepstrum = self.cepstrum.to(dtype)
        # The root has no derivative at zero, where the layer starts.
        power = cepstrum.square().sum(dim=(1, 2))
        safe = torch.where(power > 0, power, torch.ones_like(power))
        norm = torch.where(power > 0, safe.sqrt(), torch.zeros_like(power)).sum()
        return cepstrum * (self.budget / norm.clamp(min=self.budget))
