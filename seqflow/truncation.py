"""Noise from the central mass of a base density alone: no sample of it is far out.

Shapes: noise (n, C, T).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .distributions import Base
from .marginals import marginal

LEAST_MASS = 0.01
# Quantiles whose mean square is the variance of a truncated sample.
_GRID = 4096


class Truncation:
    """Draws from `base` given that every sample lies in the central `mass` of its channel's distribution.

    Each |z| is below the (1 + mass)/2 quantile. A mass of 1 is the base itself, to the bit.

    Attributes:
        narrowing: mean over channels of the deviation of the noise relative to that of the base; what
            `temperature` is to layers that ask how the noise was scaled.
    """

    def __init__(self, base: Base, mass: float) -> None:
        self.base = base
        self.mass = mass
        self.narrowing = 1.0
        if mass < 1.0:
            known = marginal(base)
            bound = known.ppf(np.full((base.channels, 1), 0.5 * (1.0 + mass)))
            points = 0.5 + mass * ((np.arange(_GRID) + 0.5) / _GRID - 0.5)
            values = known.ppf(np.broadcast_to(points, (base.channels, _GRID)))
            self.narrowing = float(np.mean(np.sqrt(np.mean(values**2, axis=1)) / known.std()[:, 0]))
            self._bound = torch.from_numpy(bound)

    def sample(
        self, n: int, length: int, *, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Noise (n, C, length), times `temperature`: what lies outside is drawn again until it does not."""
        if self.mass >= 1.0:
            return self.base.sample(n, length, temperature=temperature, generator=generator)
        z = self.base.sample(n, length, generator=generator)
        bound = self._bound.to(z)
        outside = z.abs() > bound
        while bool(outside.any()):
            again = self.base.sample(n, length, generator=generator)
            z = torch.where(outside, again, z)
            outside = z.abs() > bound
        return temperature * z
