"""A mixture of Gaussians that share one diagonal covariance: k-means, then a few rounds of EM.

NumPy alone but for k-means, for which scikit-learn is imported when a mixture is fitted.

Shapes: examples u (N, D), K components.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Added to variances and counts: a component of equal examples, or of none, stays finite.
_TINY = 1e-9


@dataclass(frozen=True)
class Mixture:
    """p(u) = Σ_k w_k N(u; m_k, diag(v)).

    Attributes:
        weights: w (K,), positive, sum 1.
        means: m (K, D).
        variances: v (D,), the same in all components.
    """

    weights: Matrix
    means: Matrix
    variances: Matrix

    def log_prob(self, u: Matrix) -> Matrix:
        """Log-density (N,) in nats of u (N, D)."""
        return _log_sum(self._joint(u))[:, 0]

    def responsibilities(self, u: Matrix) -> Matrix:
        """P(k | u): (N, K)."""
        joint = self._joint(u)
        return np.asarray(np.exp(joint - _log_sum(joint)))

    def _joint(self, u: Matrix) -> Matrix:
        """log w_k N(u; m_k, diag(v)): (N, K)."""
        scale = 1.0 / np.sqrt(self.variances)
        a, b = u * scale, self.means * scale
        distance = np.square(a).sum(1)[:, None] - 2.0 * (a @ b.T) + np.square(b).sum(1)
        constant = np.log(2.0 * np.pi * self.variances).sum()
        return np.asarray(np.log(self.weights) - 0.5 * (np.maximum(distance, 0.0) + constant))


def fit_mixture(u: Matrix, components: int, *, rounds: int = 4, floor: float = 1.0, seed: int = 0) -> Mixture:
    """Fit to examples u (N, D): k-means, then rounds of EM. Deterministic for a seed.

    Variances do not fall below `floor` times their mean: components then tell shapes apart by distances in
    which no coefficient counts too much for having hardly moved. Components are at most as many as examples.

    Raises ValueError without examples, or for a number of components below 1.
    """
    if u.ndim != 2 or len(u) < 1 or components < 1:
        raise ValueError(f"need examples (N, D) and a component, got shape {u.shape} and {components}")
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    count = min(components, len(np.unique(u[:, :4], axis=0)), len(u))
    with warnings.catch_warnings():
        # Of many equal examples: components that none belongs to keep a small weight.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(count, n_init=1, max_iter=10, random_state=seed).fit(u)
    belongs = np.bincount(found.labels_, minlength=count).astype(np.float64)
    means = np.asarray(found.cluster_centers_, np.float64)
    inner = np.square(u - means[found.labels_]).mean(0)
    model = Mixture(_shares(belongs), means, _floored(inner, floor))
    for _ in range(rounds):
        share = model.responsibilities(u)
        mass = share.sum(0) + _TINY
        means = (share.T @ u) / mass[:, None]
        inner = (np.square(u).sum(0) - (mass[:, None] * np.square(means)).sum(0)) / len(u)
        model = Mixture(_shares(mass), means, _floored(inner, floor))
    return model


def _log_sum(joint: Matrix) -> Matrix:
    """log Σ_k exp(joint) (N, 1)."""
    top = joint.max(axis=1, keepdims=True)
    return np.asarray(top + np.log(np.exp(joint - top).sum(axis=1, keepdims=True)))


def _shares(mass: Matrix) -> Matrix:
    share = mass + 1e-3
    return np.asarray(share / share.sum())


def _floored(variances: Matrix, floor: float) -> Matrix:
    return np.asarray(np.maximum(variances, floor * max(float(variances.mean()), 0.0)) + _TINY)
