"""The data's mean spectrum, taken out in one layer started in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.dct import dct2
from .base import Bijection, Context
from .cepstral import Boundary, Filter, apply_filter, cepstral_filter
from .memory import Memory

# Mean of log(χ²_n / n) for n = 2 (a complex bin) and n = 1 (a real one): the bias of a mean log periodogram.
_COMPLEX_BIAS = -0.5772156649015329
_REAL_BIAS = -0.5772156649015329 - math.log(2.0)

# Samples whose spectra are held at once.
_CHUNK = 1 << 22


class Whitening(Bijection):
    """y = exp(c) * x per channel, with c half the negative log of the mean power spectrum.

    log H(w) = c_0 + 2 sum_n c_n cos(w n); log|det| about T·c_0. After `initialize` the windows it saw have
    unit power and, up to the resolution of K taps, a flat spectrum. With `taps=None` the cepstrum spans the
    window: under a standard normal base the layer then is the Gaussian with the covariance that the windows
    have in the basis of the boundary (Fourier; DCT-II). A data set's whole dynamic range belongs in one such
    layer: float32 holds 100 dB to about 1e-4, where the same range spread over many layers is lost.

    The same parameters serve any later T. Causal: the minimum-phase filter of the same amplitude.

    Args:
        channels: C.
        taps: K cepstral taps, lags 0..K-1; None for as many as the windows given to `initialize` determine.
        boundary: how a window goes on beyond its ends, see `cepstral.Boundary`.
        estimate: "mean_log": mean over windows of log power, free of the bias of log χ² (each window counts
            alike, however loud); "log_mean": log of mean power (the maximum-likelihood Gaussian).
        trainable: whether c is trained further.
        floor_db: power further than this below the channel's strongest bin counts as that; inf for no floor.
    """

    # Its float32 inverse brings back the data's whole dynamic range with few digits left.
    reversible = False

    def __init__(
        self,
        channels: int,
        taps: int | None,
        boundary: Literal["symmetric", "circular", "causal"] = "symmetric",
        estimate: Literal["mean_log", "log_mean"] = "mean_log",
        trainable: bool = True,
        floor_db: float = 100.0,
    ) -> None:
        super().__init__()
        if boundary not in ("symmetric", "circular", "causal"):
            raise ValueError(f"boundary must be symmetric, circular or causal, got {boundary!r}")
        if estimate not in ("mean_log", "log_mean"):
            raise ValueError(f"estimate must be mean_log or log_mean, got {estimate!r}")
        if taps is not None and taps < 1:
            raise ValueError(f"a cepstrum needs at least one tap, got {taps}")
        if floor_db <= 0:
            raise ValueError(f"floor_db must be positive, got {floor_db}")
        self.taps = taps
        self.boundary: Boundary = boundary
        self.estimate = estimate
        self.floor_db = floor_db
        self.cepstrum = nn.Parameter(torch.zeros(channels, taps or 1), requires_grad=trainable)
        self._memory: Memory[Filter] = Memory()

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        return self._run(x, inverse=False)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The same convolution with minus the cepstrum."""
        return self._run(z, inverse=True)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Set c from windows x (B, C, T) and their mean log or mean power; statistics in float64.

        The level is set last, so that the windows have unit power. A channel of zeros keeps the identity.
        """
        log_power = self._log_power(x)
        cepstrum = _cepstrum_of(log_power, x.shape[-1], self.taps, self.boundary)
        self.cepstrum.data = cepstrum.to(self.cepstrum)
        power = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        for part in _chunks(x):
            power += self._run(part, inverse=False)[0].square().sum(dim=(0, 2))
        power = power / (x.shape[0] * x.shape[2])
        level = torch.where(power > 0, power, torch.ones_like(power)).log()
        cepstrum[:, 0] -= 0.5 * level
        self.cepstrum.data = cepstrum.to(self.cepstrum)
        return self.forward(x, context)[0]

    def _run(self, x: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        length = x.shape[-1]

        def make() -> Filter:
            lags = self._lags(x.dtype)
            return cepstral_filter(-lags if inverse else lags, length, self.boundary, self._bound(lags))

        kernel = self._memory.recall(self, self.cepstrum, (length, x.dtype, inverse), make)
        return apply_filter(x, kernel, self.boundary)

    def _bound(self, lags: Tensor) -> float | None:
        """||c||_1 where it is of use; a graph being traced must not depend on values."""
        if self.boundary != "causal" or torch.compiler.is_compiling():
            return None
        bound = lags.detach().abs().sum(-1).max().item()
        return bound if math.isfinite(bound) else None

    def _lags(self, dtype: torch.dtype) -> Tensor:
        """The cepstrum in the lags of the boundary."""
        c = self.cepstrum.to(dtype)
        if self.boundary == "circular":
            return torch.cat((c[:, 1:].flip(-1), c), -1)
        if self.boundary == "causal":
            return torch.cat((c[:, :1], 2.0 * c[:, 1:]), -1)
        return c

    def _log_power(self, x: Tensor) -> Tensor:
        """Estimated log power spectrum (C, F) in float64, white noise of unit deviation being 0."""
        mean = torch.stack([_power(part, self.boundary).sum(0) for part in _chunks(x)]).sum(0) / x.shape[0]
        top = mean.amax(-1, keepdim=True)
        floor = (top * 10.0 ** (-self.floor_db / 10.0)).clamp(min=torch.finfo(torch.float64).tiny)
        if self.estimate == "log_mean":
            log_power = torch.maximum(mean, floor).log()
        else:
            total = torch.zeros_like(mean)
            for part in _chunks(x):
                total += torch.maximum(_power(part, self.boundary), floor).log().sum(0)
            log_power = total / x.shape[0] - _bias(mean, x.shape[-1], self.boundary)
        return torch.where(top > 0, log_power, torch.zeros_like(log_power))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # With taps=None the windows decided the size, and the stored cepstrum knows it.
        stored = state_dict.get(prefix + "cepstrum")
        if self.taps is None and stored is not None and stored.shape[:1] == self.cepstrum.shape[:1]:
            self.cepstrum.data = self.cepstrum.data.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _chunks(x: Tensor) -> Iterator[Tensor]:
    """The windows in float64, few enough at a time to hold their spectra."""
    size = max(1, _CHUNK // (x.shape[1] * x.shape[2]))
    for start in range(0, x.shape[0], size):
        yield x[start : start + size].double()


def _power(x: Tensor, boundary: Boundary) -> Tensor:
    """Periodogram (B, C, F) in the basis of the boundary; white noise of unit deviation has mean 1."""
    if boundary == "symmetric":
        return dct2(x).square()
    power: Tensor = torch.fft.rfft(x, norm="ortho").abs().square()
    return power


def _bias(like: Tensor, length: int, boundary: Boundary) -> Tensor:
    bias = torch.full_like(like[0], _REAL_BIAS if boundary == "symmetric" else _COMPLEX_BIAS)
    bias[0] = _REAL_BIAS
    if length % 2 == 0:
        bias[-1] = _REAL_BIAS
    return bias


def _cepstrum_of(log_power: Tensor, length: int, taps: int | None, boundary: Boundary) -> Tensor:
    """The first K lags of -log_power / 2, (C, K), in the convention c_0 + 2 sum_n c_n cos(w n)."""
    if boundary == "symmetric":
        # DCT-II samples the spectrum at pi k / N, k < N; its value at pi is taken from the last.
        period, grid = 2 * length, torch.cat((log_power, log_power[:, -1:]), -1)
    else:
        period, grid = length, log_power
    cepstrum: Tensor = torch.fft.irfft(-0.5 * grid, n=period)[:, : period // 2 + 1]
    if period % 2 == 0:
        # The last lag and its mirror image are one and the same.
        cepstrum = torch.cat((cepstrum[:, :-1], 0.5 * cepstrum[:, -1:]), -1)
    if taps is None:
        return cepstrum
    padded: Tensor = F.pad(cepstrum, (0, max(0, taps - cepstrum.shape[-1])))
    return padded[:, :taps]
