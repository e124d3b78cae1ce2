"""The terms of the score. A new term is a class that meets `Term` and one case in `make_terms`.

Shapes: (B, C, T) windows; features (B, D).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from .complexity import Complexity
from .latent import Band, Latent
from .local import Local
from .passes import FlowPass
from .ratio import Ratio
from .term import Array, Statistics, Term

NAMES = ("nll", "latent", "local", "typicality", "band", "energy", "complexity", "ratio")
"""In this order: a stored calibration names its terms by their places here."""

# Of a channel that never moved. The square of any float32 over it still is a finite float64.
_LEAST_VARIANCE = 1e-200


class Nll(Term):
    """Negative log-likelihood, nats per sample. Always reported; alone it calls simple sounds normal."""

    name = "nll"
    pool = "mean"
    likelihood = "of the window"
    learns = ()

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 1) mean over the window."""
        return batch.nll.mean(-1, keepdim=True)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Nothing to learn."""
        return {}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Nats per sample (B,)."""
        return features[:, 0]

    def steps(self, batch: FlowPass, statistics: Statistics) -> Tensor:
        """Nats per sample of each step (B, T)."""
        return batch.nll


class Typicality(Term):
    """|nll - its mean on normal recordings|: too likely is as unusual as too unlikely (a pure tone, silence).

    The recordings' signed deviations are pooled before the absolute value is taken.
    """

    name = "typicality"
    pool = "mean"
    learns = ("mean",)

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 1) mean negative log-likelihood over the window, nats per sample."""
        return batch.nll.mean(-1, keepdim=True)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Mean (1,) over recordings, each counted once however long it is."""
        return {"mean": np.array([np.mean([unit.mean() for unit in units])])}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Signed deviation (B,)."""
        return features[:, 0] - statistics["mean"]

    def finish(self, value: Array) -> Array:
        """Absolute deviation."""
        return np.abs(value)


class Energy(Term):
    """Mean square of the window after standardisation of each channel by normal recordings.

    Asks nothing of the model. On sensors it is a strong baseline: whatever is large is found.
    """

    name = "energy"
    pool = "max"
    learns = ("mean", "variance")

    def extract(self, batch: FlowPass) -> Tensor:
        """(B, 2C): mean and mean square of each channel."""
        return torch.cat([batch.x.mean(-1), batch.x.square().mean(-1)], dim=-1)

    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Mean (C,) and variance (C,) of each channel over all windows."""
        mean, square = np.split(np.concatenate(units).mean(axis=0), 2)
        variance = np.maximum(square - mean**2, 1e-12 * square)
        return {"mean": mean, "variance": np.maximum(variance, _LEAST_VARIANCE)}

    def measure(self, features: Array, statistics: Statistics) -> Array:
        """mean over channels of E[(x - mean)²] / variance (B,)."""
        first, second = np.split(features, 2, axis=-1)
        mean = statistics["mean"]
        around = np.maximum(second - 2.0 * mean * first + mean**2, 0.0)
        return np.asarray((around / statistics["variance"]).mean(axis=-1))


def make_terms(names: Sequence[str], smoothing: Sequence[int]) -> list[Term]:
    """The named terms, in the order given. Raises UsageError for a name that is none."""
    return [_make(name, smoothing) for name in names]


def _make(name: str, smoothing: Sequence[int]) -> Term:
    match name:
        case "nll":
            return Nll()
        case "latent":
            return Latent()
        case "local":
            return Local(smoothing)
        case "typicality":
            return Typicality()
        case "band":
            return Band()
        case "energy":
            return Energy()
        case "complexity":
            return Complexity()
        case "ratio":
            return Ratio()
        case _:
            raise UsageError(f"score.terms: unknown term {name!r}; known: {', '.join(NAMES)}")
