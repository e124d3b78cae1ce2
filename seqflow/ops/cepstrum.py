"""Convolutions given by a short cepstrum c: the response is exp of its transform, hence never zero.

Shapes: a cepstrum is (..., K) with lags 0..K-1, or (..., 2K - 1) with lags -(K-1)..K-1 where it is circular;
leading axes are (C,) or (B, C). Lags beyond the period fold back onto it, so every length T is served.
The log-determinant is a weighted sum of the taps; the inverse has the cepstrum -c.
Source: A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing (complex cepstrum).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .series import series_exp

Mirror = Literal["half", "whole"]


def circular_spectrum(cepstrum: Tensor, length: int) -> Tensor:
    """W = exp(rfft(c)) (..., F), F = length // 2 + 1, from lags -(K-1)..K-1 (..., 2K - 1)."""
    half = cepstrum.shape[-1] // 2
    lags = torch.arange(-half, half + 1, device=cepstrum.device) % length
    log_spectrum = torch.fft.rfft(_place(cepstrum, lags, length))
    # exp of a complex tensor costs several times more than polar.
    return torch.polar(log_spectrum.real.exp(), log_spectrum.imag)


def circular_cepstral_log_det(cepstrum: Tensor, length: int) -> Tensor:
    """T·c_0 (and the lags that fold onto 0), summed over channels: () or (B,), in nats."""
    half = cepstrum.shape[-1] // 2
    lags = torch.arange(-half, half + 1, device=cepstrum.device)
    return length * (cepstrum * (lags % length == 0)).sum(dim=(-2, -1))


def symmetric_response(cepstrum: Tensor, length: int, boundary: Mirror = "half") -> Tensor:
    """H_k = exp(c_0 + 2 sum_n c_n cos(w_k n)), (..., T), from lags 0..K-1 (..., K).

    w_k = pi k / T for "half" (DCT-II), pi k / (T - 1) for "whole" (DCT-I), k = 0..T-1.
    Raises ValueError for "whole" and T < 2.
    """
    period = _period(length, boundary)
    lags = torch.arange(cepstrum.shape[-1], device=cepstrum.device)
    even = torch.cat((cepstrum, cepstrum[..., 1:]), -1)
    placed = _place(even, torch.cat((lags, -lags[1:])) % period, period)
    log_response: Tensor = torch.fft.rfft(placed).real
    return log_response[..., :length].exp()


def symmetric_cepstral_log_det(cepstrum: Tensor, length: int, boundary: Mirror = "half") -> Tensor:
    """Sum over k of log H_k, summed over channels: () or (B,), in nats.

    half: T·c_0 + 2 sum_{n odd} c_n; whole: T·c_0 + 2 sum_{n even > 0} c_n; lags that are multiples of the
    period count 2T.
    """
    period = _period(length, boundary)
    lags = torch.arange(cepstrum.shape[-1], device=cepstrum.device)
    parity = lags % 2 == (1 if boundary == "half" else 0)
    weights = torch.where(parity, 2.0, 0.0).to(cepstrum)
    weights = torch.where(lags % period == 0, 2.0 * length, weights)
    weights = torch.where(lags == 0, 1.0 * length, weights).to(cepstrum)
    return (cepstrum * weights).sum(dim=(-2, -1))


def causal_kernel(cepstrum: Tensor, length: int) -> Tensor:
    """First `length` taps (..., length) of the minimum-phase kernel with log H(w) = sum_n c_n e^{-iwn}."""
    return series_exp(cepstrum, length)


def causal_cepstral_log_det(cepstrum: Tensor, length: int) -> Tensor:
    """T·c_0 summed over channels: () or (B,), in nats."""
    return length * cepstrum[..., 0].sum(-1)


def limit(cepstrum: Tensor, budget: float, symmetric: bool = False) -> Tensor:
    """c·min(1, budget / ||c||_1), per channel, so that |log H| <= budget (nats) at every frequency.

    Args:
        cepstrum: (..., n) lags of one channel each.
        budget: bound in nats.
        symmetric: lags above 0 stand for two, as in `symmetric_response`.
    """
    size = cepstrum.abs()
    norm = size.sum(-1, keepdim=True)
    if symmetric:
        norm = 2.0 * norm - size[..., :1]
    return cepstrum * (budget / norm.clamp(min=budget))


def _period(length: int, boundary: Mirror) -> int:
    if boundary == "whole" and length < 2:
        raise ValueError(f"whole-sample symmetry needs at least 2 samples, got {length}")
    return 2 * length if boundary == "half" else 2 * (length - 1)


def _place(values: Tensor, lags: Tensor, period: int) -> Tensor:
    """Zeros (..., period) with the values added at their lags."""
    return values.new_zeros(*values.shape[:-1], period).index_add(-1, lags, values)
