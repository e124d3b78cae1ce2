"""A mixture of autoregressions: every block of a window chooses its predictor and its gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from .autoregression import regressors
from .fit import LOG_2PI, Array, Fit

_BLOCKS_PER_PREDICTOR = 8


class Mixture(NamedTuple):
    """Predictors (K, order), variances of the residual (G,), log-probabilities of the choices (K, G)."""

    a: Array
    variance: Array
    log_weight: Array


def ar_mixture(
    train: list[Array],
    test: Array,
    *,
    order: int = 16,
    predictors: int = 64,
    gains: int = 24,
    block: int = 128,
    rounds: int = 12,
    most: int = 20_000,
    seed: int = 0,
) -> Fit:
    """Every block of a window has one of `predictors` linear predictors and one of `gains` residual scales.

    A block is predicted from the true samples before it, zeros before the window. The choice of (predictor,
    gain) is independent from block to block, with learned probabilities: the density of a block is the
    mixture's. Predictors start by k-means on the log residual energy and are then trained, with gains and
    probabilities, by EM on `most` blocks taken at random. The last block of a window may be shorter; where a
    window or all training stretches are shorter than a block, blocks are as long as those; there are no more
    predictors than an eighth of the training blocks.
    """
    block = min(block, test.shape[1], max(map(len, train)))
    rng = np.random.default_rng(seed)
    moments = np.concatenate([_moments(r, order, _whole(len(r), block)) for r in train if len(r) >= block])
    moments = moments[rng.permutation(len(moments))[:most]]
    asked, predictors = predictors, min(predictors, max(1, len(moments) // _BLOCKS_PER_PREDICTOR))
    note = "" if predictors == asked else f"{predictors} predictors for {len(moments)} training blocks"
    fitted = _fit(moments, predictors, gains, block, rounds, rng)
    lengths = _whole(test.shape[1], block)
    if rest := test.shape[1] - sum(lengths):
        lengths = [*lengths, rest]
    nats = np.empty(len(test))
    for index, window in enumerate(test):
        joint = _log_joint(_moments(window, order, lengths), fitted, np.array(lengths, np.float64))
        nats[index] = -special.logsumexp(joint, axis=(1, 2)).sum()
    return Fit(nats, fitted.a.size + len(fitted.variance) + fitted.log_weight.size - 1, note)


def _fit(
    moments: Array, predictors: int, gains: int, block: int, rounds: int, rng: np.random.Generator
) -> Mixture:
    a = _k_means(moments, predictors, rng)
    low, high = np.quantile(_energies(moments, a).min(1) / block, [0.002, 0.998])
    variance = np.geomspace(low, high, gains)
    fitted = Mixture(a, variance, np.full((predictors, gains), -np.log(predictors * gains)))
    for _ in range(rounds):
        mass, scaled, square, precision = _expectation(moments, fitted, block)
        kept = np.maximum(mass, 1e-9)
        # A gain that no block takes stays where it is.
        used = mass.sum(0) > 1e-9
        fitted = Mixture(
            np.where(precision[:, None] > 0, _solve(scaled), fitted.a),
            np.where(used, square / (block * np.maximum(mass.sum(0), 1e-9)), fitted.variance),
            np.log(kept / kept.sum()),
        )
    return fitted


def _whole(length: int, block: int) -> list[int]:
    return [block] * (length // block)


def _moments(x: Array, order: int, lengths: Sequence[int]) -> Array:
    """Sums of products of lagged samples over blocks of these lengths: (blocks, order + 1, order + 1)."""
    rows = regressors(x, order)
    found = np.empty((len(lengths), order + 1, order + 1))
    start = 0
    for index, length in enumerate(lengths):
        part = rows[start : start + length]
        found[index] = part.T @ part
        start += length
    return found


def _errors(a: Array) -> Array:
    """Predictors (K, order) -> coefficients of the squared error on the moments, (K, (order + 1)^2)."""
    full = np.concatenate((np.ones((len(a), 1)), -a), axis=1)
    return np.asarray((full[:, :, None] * full[:, None, :]).reshape(len(a), -1))


def _energies(moments: Array, a: Array) -> Array:
    """Squared error of every predictor on every block, (blocks, K); rounding must not make it vanish."""
    energy = moments.reshape(len(moments), -1) @ _errors(a).T
    return np.maximum(energy, 1e-6 * moments[:, :1, 0] + 1e-12)


def _solve(moments: Array) -> Array:
    """Best predictor for each sum of moments (K, order + 1, order + 1)."""
    order = moments.shape[1] - 1
    ridge = 1e-7 * moments[:, 0, 0][:, None, None] * np.eye(order) + 1e-12 * np.eye(order)
    return np.asarray(np.linalg.solve(moments[:, 1:, 1:] + ridge, moments[:, 1:, :1])[..., 0])


def _k_means(moments: Array, count: int, rng: np.random.Generator) -> Array:
    a = _solve(moments[rng.choice(len(moments), count, replace=False)])
    for _ in range(15):
        energy = _energies(moments, a)
        nearest = energy.argmin(1)
        weight = 1.0 / energy[np.arange(len(energy)), nearest]
        for k in range(count):
            mine = nearest == k
            if mine.sum() >= 8:
                a[k] = _solve((weight[mine, None, None] * moments[mine]).sum(0)[None])[0]
            else:
                a[k] = _solve(moments[rng.integers(len(moments))][None])[0]
    return a


def _log_joint(moments: Array, fitted: Mixture, lengths: Array | float) -> Array:
    """log p(block, predictor, gain), (blocks, K, G), for blocks of these lengths."""
    energy = _energies(moments, fitted.a)
    count = np.broadcast_to(lengths, len(moments))[:, None, None]
    scale = 0.5 * count * (np.log(fitted.variance) + LOG_2PI)
    return np.asarray(fitted.log_weight - scale - 0.5 * energy[:, :, None] / fitted.variance)


def _expectation(moments: Array, fitted: Mixture, block: int) -> tuple[Array, Array, Array, Array]:
    """Mass (K, G), moments weighted by precision (K, ...), energy (G,) and precision (K,): a round of EM."""
    a, variance, log_weight = fitted
    mass, square = np.zeros(log_weight.shape), np.zeros(len(variance))
    scaled, precision = np.zeros((len(a), moments[0].size)), np.zeros(len(a))
    for start in range(0, len(moments), 2048):
        part = moments[start : start + 2048]
        joint = _log_joint(part, fitted, block)
        share = np.exp(joint - special.logsumexp(joint, axis=(1, 2), keepdims=True))
        mass += share.sum(0)
        square += np.einsum("bkg,bk->g", share, _energies(part, a))
        weight = share @ (1.0 / variance)
        scaled += weight.T @ part.reshape(len(part), -1)
        precision += weight.sum(0)
    return mass, scaled.reshape(len(a), *moments.shape[1:]), square, precision
