"""A Gaussian that is diagonal in the cosine basis: one symmetric convolution, in closed form.

Shapes: a channel x (T,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .window_model import covering_mean

Array = NDArray[np.floating[Any]]

_CHUNK = 1 << 21
# Least variance of a coefficient, of a series with deviation 1.
_LEAST = 1e-4


@dataclass(frozen=True)
class WindowGaussian:
    """Windows of L samples: independent cosine coefficients with means m and variances v, (L,) each."""

    means: NDArray[np.float64]
    variances: NDArray[np.float64]

    @classmethod
    def fit(cls, x: Array, length: int, examples: int = 6_000) -> WindowGaussian:
        """Fit to at most `examples` windows, evenly spread over x (T,), T >= L."""
        windows = np.lib.stride_tricks.sliding_window_view(x, length)
        chosen = np.linspace(0, len(windows) - 1, min(len(windows), examples)).astype(np.int64)
        u = scipy.fft.dct(windows[chosen], axis=1, norm="ortho")
        return cls(u.mean(0), u.var(0) + _LEAST)

    def surprise(self, x: Array) -> NDArray[np.float64]:
        """-log p of every window, nats: (T - L + 1,)."""
        windows = np.lib.stride_tricks.sliding_window_view(x, len(self.means))
        constant = 0.5 * float(np.log(2.0 * np.pi * self.variances).sum())
        size = max(1, _CHUNK // len(self.means))
        parts = []
        for at in range(0, len(windows), size):
            u = scipy.fft.dct(windows[at : at + size], axis=1, norm="ortho") - self.means
            parts.append(0.5 * (np.square(u) / self.variances).sum(1) + constant)
        return np.concatenate(parts)

    def track(self, x: Array) -> NDArray[np.float64]:
        """Mean surprise of all windows that cover a sample, nats: (T,)."""
        return covering_mean(self.surprise(x), len(self.means))
