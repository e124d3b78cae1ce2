"""Goodness of fit of the noise: is z white, of unit variance, without outliers, as on normal recordings?

A flow may give an odd recording a high likelihood, yet map it to noise that normal recordings never give.
Shapes: z (B, C', T').
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from .passes import FlowPass
from .term import Array, Statistics, Term, robust

_LAGS = 4
_BANDS = 6
_PARTS = 8
_TINY = 1e-30
# Logarithms and correlations are of order one: deviations below this are of no interest.
_FLOOR = 1e-3
# Windows further out than this many deviations do not shape the correlation matrix.
_WINSOR = 4.0


def _log(x: Tensor) -> Tensor:
    return torch.log(x + _TINY)


def moments(z: Tensor) -> Tensor:
    """(B, 3): log mean z², log max |z|, and log mean |z| - ½ log mean z² (-0.226 for a normal)."""
    flat = z.flatten(1)
    energy = _log(flat.square().mean(-1))
    peak = _log(flat.abs().amax(-1))
    shape = _log(flat.abs().mean(-1)) - 0.5 * energy
    return torch.stack([energy, peak, shape], dim=-1)


def autocorrelation(z: Tensor, lags: int = _LAGS) -> Tensor:
    """(B, L): sum_t z_t z_{t+l} / sum_t z_t², over all channels, for the lags l = 1 .. min(lags, T'-1)."""
    total = z.square().sum(dim=(1, 2)) + _TINY
    parts = [
        (z[..., lag:] * z[..., :-lag]).sum(dim=(1, 2)) / total
        for lag in range(1, min(lags, z.shape[-1] - 1) + 1)
    ]
    return torch.stack(parts, dim=-1) if parts else z.new_zeros(z.shape[0], 0)


def band_edges(bins: int, bands: int = _BANDS) -> list[int]:
    """Edges of octave bands over rfft bins 0 .. bins-1: [0, F/2^(n-1), ..., F/2, F), none of them empty."""
    return sorted({0, bins, *(bins >> k for k in range(1, bands))})


def band_energies(z: Tensor) -> Tensor:
    """(B, bands): log mean energy of the latent periodogram in octave bands. White noise: 0 in each."""
    spectrum = torch.fft.rfft(z, dim=-1, norm="ortho")
    # A sum of squares, not abs()²: no square root to lose digits in.
    power = (spectrum.real.square() + spectrum.imag.square()).mean(dim=1)
    edges = band_edges(power.shape[-1])
    return torch.stack([_log(power[:, a:b].mean(-1)) for a, b in pairwise(edges)], -1)


def extremes_in_time(z: Tensor, parts: int = _PARTS) -> Tensor:
    """(B, 2): log energy of the quietest and of the loudest part of the window."""
    steps = z.shape[-1]
    energy = z.square().mean(dim=1)
    parts = min(parts, steps)
    edges = [steps * k // parts for k in range(parts + 1)]
    means = torch.stack([energy[:, a:b].mean(-1) for a, b in pairwise(edges)], -1)
    return torch.stack([_log(means.amin(-1)), _log(means.amax(-1))], dim=-1)


def extremes_in_channels(z: Tensor) -> Tensor:
    """(B, 2): log energy of the quietest and of the loudest channel; (B, 0) where there is only one."""
    if z.shape[1] == 1:
        return z.new_zeros(z.shape[0], 0)
    energy = z.square().mean(dim=-1)
    return torch.stack([_log(energy.amin(-1)), _log(energy.amax(-1))], dim=-1)


class Latent(Term):
    """Distance of the latent statistics of a window from those of normal windows.

    d = sqrt(u' P u / D) with u the D statistics in robust deviations from their medians and P the inverse of
    their correlation matrix R, shrunk towards the identity: P = ((1-λ) R + λ I)^-1, λ = D/(n + D). A typical
    normal window has d near 1. Pooled by mean: `local` looks after short events.
    """

    name = "latent"
    pool = "mean"
    learns = ("location", "scale", "precision")

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, D): moments, autocorrelations, band energies, extremes in time and channels, mean log-det."""
        volume = batch.volume.mean(-1, keepdim=True) / batch.channels
        return torch.cat(
            [
                moments(batch.z),
                autocorrelation(batch.z),
                band_energies(batch.z),
                extremes_in_time(batch.z),
                extremes_in_channels(batch.z),
                volume,
            ],
            dim=-1,
        )

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Medians (D,), robust deviations (D,) and precision (D, D) of the statistics."""
        values = np.concatenate(units)
        location, scale = robust(values, _FLOOR)
        u = np.clip((values - location) / scale, -_WINSOR, _WINSOR)
        n, d = u.shape
        shrink = d / (n + d)
        matrix = (1.0 - shrink) * (u.T @ u) / n + shrink * np.eye(d)
        return {"location": location, "scale": scale, "precision": np.linalg.inv(matrix)}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """d (B,)."""
        u = (features - statistics["location"]) / statistics["scale"]
        # Element by element, not by a matrix product: the value of a window must not depend on its batch.
        square = np.einsum("bi,ij,bj->b", u, statistics["precision"], u)
        return np.asarray(np.sqrt(np.maximum(square, 0.0) / features.shape[-1]))


class Band(Term):
    """Largest deviation of one band of the latent periodogram, either way, in robust deviations.

    A hum or a missing band stands out in one band while the window's total energy hardly moves.
    """

    name = "band"
    pool = "mean"
    learns = ("location", "scale")

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, bands) log energies."""
        return band_energies(batch.z)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Median and robust deviation of each band."""
        location, scale = robust(np.concatenate(units), _FLOOR)
        return {"location": location, "scale": scale}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """max over bands of |deviation| (B,)."""
        deviation = np.abs((features - statistics["location"]) / statistics["scale"])
        return np.asarray(deviation.max(axis=-1))
