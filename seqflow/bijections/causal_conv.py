"""Learned convolution with the past alone."""

from __future__ import annotations

from .cepstral import CepstralConv


class CausalConv(CepstralConv):
    """y_t = sum_{n>=0} h_n x_{t-n} per channel, silence before the window;  log|det| = T·c_0.

    h is the power series exp(sum_n c_n z^n), minimum phase by construction, so that the inverse is stable.
    The Jacobian is lower-triangular Toeplitz: no sample sees a later one.

    Args:
        channels: C.
        taps: K numbers a channel, lags 0..K-1.
        budget: bound on |log H| in nats.
    """

    def __init__(self, channels: int, taps: int, budget: float = 0.25) -> None:
        super().__init__(channels, taps, "causal", budget)
