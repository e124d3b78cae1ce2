"""Several channels into their mean, without losing sight of one that never moves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Mixing:
    """The mean of channels, and what range each of them has had so far."""

    def __init__(self, channels: int) -> None:
        self._low = np.full(channels, np.inf)
        self._high = np.full(channels, -np.inf)

    def mean(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Samples (n, C) to their mean (n, 1)."""
        self._low = np.fmin(self._low, np.fmin.reduce(samples, axis=0, initial=np.inf))
        self._high = np.fmax(self._high, np.fmax.reduce(samples, axis=0, initial=-np.inf))
        with np.errstate(invalid="ignore", over="ignore"):  # of infinite samples
            return np.asarray(samples.mean(axis=1, keepdims=True))

    def dead(self) -> str:
        """A line on the channels that held one value throughout while others moved; "" for none."""
        flat = self._low == self._high
        if not flat.any() or flat.all():
            return ""
        names = ", ".join(map(str, np.flatnonzero(flat)))
        if flat.sum() == 1:
            return f"channel {names}, mixed into the mean, holds one value"
        return f"channels {names}, mixed into the mean, hold one value each"
