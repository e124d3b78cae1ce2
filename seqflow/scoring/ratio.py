"""How much likelier a window is under a background model.

Source: J. Ren, P. J. Liu, E. Fertig, J. Snoek, R. Poplin, M. DePristo, J. Dillon and B. Lakshminarayanan,
Likelihood ratios for out-of-distribution detection (2019): log p(x) - log p_background(x).

Shapes: windows (B, C, T).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from .passes import FlowPass
from .term import Array, Statistics, Term


class Ratio(Term):
    """log p_background - log p, nats per sample: above 0 the background explains the window better.

    What makes any recording likely or unlikely, as how quiet it is, both models share, and it cancels; what
    the model alone has learned is left. The background is told all that the model is told of a window.
    """

    name = "ratio"
    pool = "mean"
    learns = ()

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 1) mean over the window."""
        return self._steps(batch).mean(-1, keepdim=True)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Nothing to learn."""
        return {}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Nats per sample (B,)."""
        return features[:, 0]

    def steps(self, batch: FlowPass, statistics: Statistics) -> Tensor:
        """Nats of each step (B, T)."""
        return self._steps(batch)

    def _steps(self, batch: FlowPass) -> Tensor:
        if batch.background is None:
            raise ValueError("the term ratio needs a pass with a background model")
        return batch.nll - batch.background
