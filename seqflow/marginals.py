"""Distribution functions of the noise: one distribution for each channel of a base density.

Shapes: values (..., C, T) in the units of the noise, float64. Every base here is symmetric about 0.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from scipy.special import ndtr

from .distributions import Base, Laplace, Mixture, Normal, StudentT, WindowMixture
from .errors import UsageError

Array = NDArray[np.floating[Any]]

_HALVINGS = 80


class Marginal(Protocol):
    """Distribution of single samples, C of them side by side: parameters are (C, 1)."""

    def cdf(self, x: Array) -> Array:
        """Probability of a value below x (..., C, T)."""

    def ppf(self, q: Array) -> Array:
        """Value below which a sample lies with probability q (..., C, T)."""

    def std(self) -> Array:
        """Standard deviations (C, 1)."""


def marginal(base: Base) -> Marginal:
    """The distribution of the samples that `base` draws.

    Raises UsageError for a mixture over whole windows, whose samples have no distribution of their own, and
    TypeError for a base that is not known here.
    """
    if isinstance(base, WindowMixture):
        raise UsageError(
            "model.base: the noise of a window_mixture belongs to whole windows: it has no central mass and "
            "no quantiles sample by sample; use a model with another base"
        )
    tensors = {name: value.detach().double().cpu().numpy() for name, value in base.named_parameters()}
    scale = np.exp(tensors["log_scale"])
    found: Any
    match base:
        case Normal():
            found = scipy.stats.norm(scale=scale)
        case Laplace():
            found = scipy.stats.laplace(scale=scale)
        case StudentT():
            found = scipy.stats.t(base.freedom.detach().double().cpu().numpy(), scale=scale)
        case Mixture():
            logits = tensors["logits"]
            weights = np.exp(logits - logits.max(-1, keepdims=True))
            found = _Normals(weights / weights.sum(-1, keepdims=True), scale)
        case _:
            raise TypeError(f"no distribution function of {type(base).__name__} is known")
    distribution: Marginal = found
    return distribution


class _Normals:
    """Mixtures of normals about 0, weights and scales (C, 1, K)."""

    def __init__(self, weights: Array, scales: Array) -> None:
        self.weights, self.scales = weights, scales

    def cdf(self, x: Array) -> Array:
        return np.asarray((self.weights * ndtr(np.asarray(x)[..., None] / self.scales)).sum(-1))

    def ppf(self, q: Array) -> Array:
        # Between the quantiles of the narrowest and the widest normal, halved until no digit is left.
        z = scipy.stats.norm.ppf(q)
        ends = z * self.scales.min(-1), z * self.scales.max(-1)
        low, high = np.minimum(*ends), np.maximum(*ends)
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self.cdf(middle) < q
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high))

    def std(self) -> Array:
        return np.asarray(np.sqrt((self.weights * self.scales**2).sum(-1)))
