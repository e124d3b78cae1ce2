"""Convolutions given by a short cepstrum c: the response is exp of its transform, hence never zero.

Shapes: a cepstrum is (..., K) with lags 0..K-1, or (..., 2K - 1) with lags -(K-1)..K-1 where it is circular;
leading axes are (C,) or (B, C). Lags beyond the period fold back onto it, so every length T is served.
The log-determinant is a weighted sum of the taps; the inverse has the cepstrum -c.
Source: A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing (complex cepstrum).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .causal import causal_spectrum
from .fourier import exp_polar, fast_size
from .series import series_exp
from .tables import remembered

Mirror = Literal["half", "whole"]

# Up to here the transform of a cepstrum is a product with a table of cosines; beyond, an FFT.
_TABLE_LAGS = 64
_TABLE_SIZE = 1 << 20

# Silence behind a window, in samples, that is not worth a power series.
_LONG_REACH = 4096


def circular_spectrum(cepstrum: Tensor, length: int) -> Tensor:
    """W = exp(rfft(c)) (..., F), F = length // 2 + 1, from lags -(K-1)..K-1 (..., 2K - 1)."""
    return exp_polar(*circular_log_spectrum(cepstrum, length))


def circular_log_spectrum(cepstrum: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """log|W| and arg W of that, (..., F) each."""
    return _transform(cepstrum, -(cepstrum.shape[-1] // 2), length)


def circular_cepstral_log_det(cepstrum: Tensor, length: int) -> Tensor:
    """T·c_0 (and the lags that fold onto 0), summed over channels: () or (B,), in nats."""
    count = cepstrum.shape[-1]
    return (cepstrum * _circular_weights(count, length, cepstrum.device, cepstrum.dtype)).sum(dim=(-2, -1))


def symmetric_response(cepstrum: Tensor, length: int, boundary: Mirror = "half") -> Tensor:
    """H_k = exp(c_0 + 2 sum_n c_n cos(w_k n)), (..., T), from lags 0..K-1 (..., K).

    w_k = pi k / T for "half" (DCT-II), pi k / (T - 1) for "whole" (DCT-I), k = 0..T-1.
    Raises ValueError for "whole" and T < 2.
    """
    return _exp_cosines(cepstrum, _period(length, boundary))[..., :length]


def mirrored_response(cepstrum: Tensor, length: int, bound: float | None = None) -> Tensor:
    """The filter of "whole" on a fast period P, (..., P // 2 + 1), for `symmetric.mirrored_conv`.

    P is 2(T - 1), the period of the mirrored window, which may have large prime factors. Where `bound` tells
    that the kernel does not reach that far (see `kernel_reach`), P is a fast size that leaves room for it.
    Raises ValueError for T < 2.
    """
    period = _period(length, "whole")
    if bound is not None:
        reach = kernel_reach(cepstrum.shape[-1], bound, cepstrum.dtype)
        period = min(period, fast_size(length + 2 * reach))
    return _exp_cosines(cepstrum, period)


def paired_response(cepstrum: Tensor, length: int) -> Tensor:
    """`symmetric_response` for "half" as the pairs (H_k, H_{T-k}), (..., F, 2), of `ops.symmetric`."""
    bins = length // 2 + 1
    if _short(cepstrum, length):
        table = _paired_cosines(cepstrum.shape[-1], length, cepstrum.device, cepstrum.dtype)
        return (cepstrum @ table).exp().view(*cepstrum.shape[:-1], bins, 2)
    response = _exp_cosines(cepstrum, 2 * length)
    return torch.stack((response[..., :bins], response[..., length - bins + 1 :].flip(-1)), -1)


def symmetric_cepstral_log_det(cepstrum: Tensor, length: int, boundary: Mirror = "half") -> Tensor:
    """Sum over k of log H_k, summed over channels: () or (B,), in nats.

    half: T·c_0 + 2 sum_{n odd} c_n; whole: T·c_0 + 2 sum_{n even > 0} c_n; lags that are multiples of the
    period count 2T.
    """
    count = cepstrum.shape[-1]
    weights = _symmetric_weights(count, length, boundary, cepstrum.device, cepstrum.dtype)
    return (cepstrum * weights).sum(dim=(-2, -1))


def causal_kernel(cepstrum: Tensor, length: int) -> Tensor:
    """First `length` taps (..., length) of the minimum-phase kernel with log H(w) = sum_n c_n e^{-iwn}."""
    return series_exp(cepstrum, length)


def causal_cepstral_spectrum(cepstrum: Tensor, length: int, bound: float | None = None) -> tuple[Tensor, ...]:
    """Spectrum of that kernel for `causal.causal_filter` of `length` samples.

    log|H| and arg H (..., F), or H itself where it comes from a power series.

    Args:
        cepstrum: lags 0..K-1 (..., K).
        length: T.
        bound: a number that no ||c||_1 exceeds, where one is known. The kernel's reach, to the precision of
            the dtype, follows from it, and the spectrum from one FFT over the window and that reach. Without
            it, or where the reach is long, the kernel is computed as a power series: exact, and slow.
    """
    if bound is not None:
        reach = kernel_reach(cepstrum.shape[-1], bound, cepstrum.dtype)
        if reach <= max(_LONG_REACH, 3 * length):
            return _transform(cepstrum, 0, fast_size(length + reach))
    return (causal_spectrum(causal_kernel(cepstrum, length), length),)


def kernel_reach(taps: int, bound: float, dtype: torch.dtype) -> int:
    """Samples beyond which no kernel exp(c), c of lags below `taps` and ||c||_1 <= bound, has anything left.

    The taps beyond lag m·(K - 1) sum to at most sum_{j > m} bound^j / j!; m is taken where that is less than
    half a unit in the last place of the smallest gain, exp(-bound).
    """
    small = math.log(torch.finfo(dtype).eps / 4.0) - bound
    # The terms fall at least by half from j = 2·bound on, so that the tail is below twice its first term.
    m = math.ceil(2.0 * bound) + 1
    while (m + 1) * math.log(max(bound, 1e-300)) - math.lgamma(m + 2) > small:
        m += 1
    return m * (taps - 1)


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


def _transform(cepstrum: Tensor, first: int, period: int) -> tuple[Tensor, Tensor]:
    """Real and imaginary transform (..., period // 2 + 1) of the lags first, first + 1, ... (..., n)."""
    count = cepstrum.shape[-1]
    if _short(cepstrum, period // 2 + 1):
        cosines, sines = _waves(first, count, period, cepstrum.device, cepstrum.dtype)
        return cepstrum @ cosines, cepstrum @ sines
    lags = torch.arange(first, first + count, device=cepstrum.device) % period
    bins = torch.fft.rfft(_place(cepstrum, lags, period))
    return bins.real, bins.imag


def _exp_cosines(cepstrum: Tensor, period: int) -> Tensor:
    """exp(c_0 + 2 sum_n c_n cos(2 pi k n / period)) for k = 0 .. period // 2."""
    if _short(cepstrum, period // 2 + 1):
        return (cepstrum @ _cosines(cepstrum.shape[-1], period, cepstrum.device, cepstrum.dtype)).exp()
    lags = torch.arange(cepstrum.shape[-1], device=cepstrum.device)
    even = torch.cat((cepstrum, cepstrum[..., 1:]), -1)
    bins: Tensor = torch.fft.rfft(_place(even, torch.cat((lags, -lags[1:])) % period, period))
    return bins.real.exp()


def _place(values: Tensor, lags: Tensor, period: int) -> Tensor:
    """Zeros (..., period) with the values added at their lags."""
    return values.new_zeros(*values.shape[:-1], period).index_add(-1, lags, values)


def _short(cepstrum: Tensor, bins: int) -> bool:
    """Whether a table is the faster way. On other devices matrix products may be rounded to save time."""
    count = cepstrum.shape[-1]
    return cepstrum.device.type == "cpu" and count <= _TABLE_LAGS and count * bins <= _TABLE_SIZE


def _angles(first: int, count: int, bins: Tensor, period: int) -> Tensor:
    """2 pi n k / period (count, bins) in float64; whole turns are taken off in integers."""
    lags = torch.arange(first, first + count)
    return torch.outer(lags, bins).remainder(period).double() * (2.0 * math.pi / period)


@remembered
def _waves(first: int, count: int, period: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """cos and -sin of the angles: (2, count, period // 2 + 1)."""
    angles = _angles(first, count, torch.arange(period // 2 + 1), period)
    return torch.stack((angles.cos(), -angles.sin())).to(device, dtype)


@remembered
def _cosines(count: int, period: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """cos of the angles, twice for n > 0: (count, period // 2 + 1)."""
    return _doubled(_angles(0, count, torch.arange(period // 2 + 1), period)).to(device, dtype)


@remembered
def _paired_cosines(count: int, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The same at k and T - k in turn for the period 2T: (count, 2F)."""
    bins = torch.arange(length // 2 + 1)
    both = torch.stack((bins, length - bins), -1).flatten()
    return _doubled(_angles(0, count, both, 2 * length)).to(device, dtype)


def _doubled(angles: Tensor) -> Tensor:
    cosines = 2.0 * angles.cos()
    cosines[0] = 1.0
    return cosines


@remembered
def _circular_weights(count: int, length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    lags = torch.arange(count) - count // 2
    return (length * (lags % length == 0)).to(device, dtype)


@remembered
def _symmetric_weights(
    count: int, length: int, boundary: Mirror, device: torch.device, dtype: torch.dtype
) -> Tensor:
    lags = torch.arange(count)
    weights = torch.where(lags % 2 == (1 if boundary == "half" else 0), 2.0, 0.0)
    weights[lags % _period(length, boundary) == 0] = 2.0 * length
    weights[0] = 1.0 * length
    return weights.to(device, dtype)


def _period(length: int, boundary: Mirror) -> int:
    if boundary == "whole" and length < 2:
        raise ValueError(f"whole-sample symmetry needs at least 2 samples, got {length}")
    return 2 * length if boundary == "half" else 2 * (length - 1)
