"""Learned convolution of the mirrored window."""

from __future__ import annotations

from typing import Literal

from .cepstral import CepstralConv


class SymmetricConv(CepstralConv):
    """DCT(y)_k = H_k·DCT(x)_k per channel, log H_k = c_0 + 2 sum_n c_n cos(pi k n / N).

    The window is mirrored at its ends, so nothing wraps around. The filters have zero phase: they cannot
    delay. Source: Karami et al., Invertible Convolutional Flow, 2019.

    Args:
        channels: C.
        taps: K numbers a channel, lags 0..K-1.
        boundary: "half": mirrored half a sample beyond the ends (DCT-II, N = T). "whole": mirrored at the end
            samples (DCT-I, N = T - 1, T >= 2).
        budget: bound on |log H| in nats.
    """

    def __init__(
        self, channels: int, taps: int, boundary: Literal["half", "whole"] = "half", budget: float = 0.25
    ) -> None:
        if boundary not in ("half", "whole"):
            raise ValueError(f"a symmetric boundary is half or whole, got {boundary!r}")
        super().__init__(channels, taps, "symmetric" if boundary == "half" else "whole", budget)
