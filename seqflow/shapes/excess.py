"""How far scores lie above the usual, in units in which scores of different kinds compare.

Shapes: scores (T,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Excess:
    """max(s - median, 0) / mean excess over the median, both of reference scores.

    Were the upper half of the reference exponential, the excess would be -ln of twice the chance to lie as
    high: the largest of several is then that of the smallest p-value.

    Attributes:
        usual: median of the reference.
        unit: mean of what lies above it.
    """

    usual: float
    unit: float

    @classmethod
    def of(cls, reference: Scores) -> Excess:
        """By reference scores (n,), n >= 1, which are mostly those of normal samples."""
        usual = float(np.median(reference))
        above = reference[reference > usual] - usual
        unit = float(above.mean()) if len(above) else 0.0
        # Scores that hardly move tell no unit: rounding must not become an anomaly.
        return cls(usual, max(unit, 1e-6 * (1.0 + abs(usual))))

    def __call__(self, scores: Scores) -> Scores:
        """(T,) -> (T,), 0 or more."""
        return np.asarray(np.maximum(scores - self.usual, 0.0) / self.unit)
