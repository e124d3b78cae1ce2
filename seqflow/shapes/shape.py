"""What of a window is its shape: the level left out, the amplitude softened, in the cosine basis.

Shapes: windows (N, L).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Shape:
    """DCT-II coefficients 1 to L - 1 (orthonormal) of u = a / (rms(a) + floor)^softening, a = x - mean(x).

    softening 0 keeps the amplitude, 1 takes it out but for quiet windows. On the windows without level the
    map is one to one: rms(u) = r / (r + floor)^softening grows with r.

    Attributes:
        softening: 0 to 1.
        floor: rms below which amplitudes are kept as they are, about, in the units of x.
    """

    softening: float = 0.4
    floor: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.softening <= 1.0 or not self.floor > 0.0:
            raise ValueError(
                f"need softening in [0, 1] and a positive floor, got {self.softening}, {self.floor}"
            )

    def coefficients(self, windows: Array) -> NDArray[np.float64]:
        """(N, L) -> (N, L - 1), L >= 2."""
        a = np.asarray(windows, np.float64)
        a = a - a.mean(axis=1, keepdims=True)
        if self.softening > 0.0:
            rms = np.sqrt(np.square(a).mean(axis=1, keepdims=True))
            a = a / (rms + self.floor) ** self.softening
        return np.asarray(scipy.fft.dct(a, axis=1, norm="ortho")[:, 1:])

    def log_det(self, windows: Array) -> NDArray[np.float64]:
        """log|det| (N,) of x without level -> coefficients, on the L - 1 dimensions that x then has.

        (L - 2)·ln(g(r)/r) + ln g'(r), r = rms(a), g(r) = r / (r + floor)^softening: the map turns nothing and
        stretches the L - 2 directions across a by g/r, the one along a by g'.
        """
        a = np.asarray(windows, np.float64)
        r = a.std(axis=1)
        across = -self.softening * np.log(r + self.floor)
        along = across + np.log1p(-self.softening * r / (r + self.floor))
        return np.asarray((a.shape[1] - 2) * across + along)
