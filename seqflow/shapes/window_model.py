"""The shapes of windows of one length, and how unusual every sample is by all windows that cover it.

Shapes: a channel x (T,), windows (N, L).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mixture import Mixture, fit_mixture
from .shape import Shape

Array = NDArray[np.floating[Any]]

# Numbers held at once while windows are scored.
_CHUNK = 1 << 21


@dataclass(frozen=True)
class WindowModel:
    """Windows of `length` samples by their shapes.

    Attributes:
        length: L, samples.
        shape: what counts of a window.
        mixture: density of its coefficients.
    """

    length: int
    shape: Shape
    mixture: Mixture

    @classmethod
    def fit(
        cls,
        x: Array,
        length: int,
        *,
        shape: Shape | None = None,
        components: int = 64,
        examples: int = 6_000,
        trim: float = 0.0,
        floor: float = 1.0,
        seed: int = 0,
    ) -> WindowModel:
        """Fit to windows of x (T,), T >= L >= 2, drawn at random without replacement: at most `examples`.

        With `trim` the most unusual of them, this share, are left out and the fit is repeated, twice: for a
        series that is not known to be normal. `floor` is that of `fit_mixture`.
        """
        if not 2 <= length <= len(x):
            raise ValueError(f"windows of {length} samples do not fit a series of {len(x)}")
        shape = shape or Shape()
        windows = np.lib.stride_tricks.sliding_window_view(x, length)
        count = min(examples, len(windows))
        chosen = np.random.default_rng(seed).choice(len(windows), count, replace=False)
        u = shape.coefficients(windows[chosen])
        mixture = fit_mixture(u, components, floor=floor, seed=seed)
        for _ in range(2 if trim > 0.0 else 0):
            surprise = -mixture.log_prob(u)
            usual = u[surprise <= np.quantile(surprise, 1.0 - trim)]
            mixture = fit_mixture(usual, components, floor=floor, seed=seed)
        return cls(length, shape, mixture)

    def surprise(self, x: Array) -> NDArray[np.float64]:
        """-log p of the shape of every window of x (T,), nats: (T - L + 1,)."""
        windows = np.lib.stride_tricks.sliding_window_view(x, self.length)
        size = max(1, _CHUNK // (self.length + len(self.mixture.weights)))
        parts = [
            -self.mixture.log_prob(self.shape.coefficients(windows[at : at + size]))
            for at in range(0, len(windows), size)
        ]
        return np.concatenate(parts)

    def track(self, x: Array) -> NDArray[np.float64]:
        """Mean surprise of all windows that cover a sample, nats: (T,)."""
        return covering_mean(self.surprise(x), self.length)


def covering_mean(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Mean, for each sample, of the values (N,) of the windows of L samples that cover it: (N + L - 1,)."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    at = np.arange(len(values) + length - 1)
    first, last = np.maximum(0, at - length + 1), np.minimum(len(values) - 1, at)
    return np.asarray((total[last + 1] - total[first]) / (last - first + 1))


def window_lengths(period: int | None, known: int, fixed: Sequence[int], shortest: int) -> tuple[int, ...]:
    """The period, but no less than `shortest`, first, then the fixed lengths; none above a third of `known`.

    `known` is the number of samples to fit on. Without a period the first is `shortest`.
    """
    most = max(2, known // 3)
    wanted = [max(period or shortest, shortest), *fixed]
    return tuple(dict.fromkeys(max(2, min(length, most)) for length in wanted))
