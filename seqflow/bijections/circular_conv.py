"""Learned circular convolution."""

from __future__ import annotations

from .cepstral import CepstralConv


class CircularConv(CepstralConv):
    """y = irfft(exp(rfft(c)) · rfft(x)) per channel;  log|det| = T·c_0 for T >= K.

    c has the lags -(K-1)..K-1, so both amplitude and phase are free. The window is taken as periodic: right
    for long audio, costly for short or trending windows. Source: Karami et al., Invertible Convolutional
    Flow, 2019; the exponential after Hoogeboom et al., The Convolution Exponential, 2020.

    Args:
        channels: C.
        taps: K; the cepstrum holds 2K - 1 numbers a channel.
        budget: bound on |log H| in nats.
    """

    def __init__(self, channels: int, taps: int, budget: float = 0.25) -> None:
        super().__init__(channels, taps, "circular", budget)
