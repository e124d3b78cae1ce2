"""Densities of audio windows that a flow is measured against: no flow, and nothing of seqflow, is used here.

Shapes: windows are (W, T) float64, on their lattice plus uniform noise of one step; recordings are lists of
(n,) arrays likewise. Every function returns minus the log-density of each test window (W,) in nats. What
precedes a window counts as zero, so every autoregression is an exact density of the window. All parameters
come from the training recordings alone.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft, linalg, optimize, special

Array = NDArray[np.float64]

_LOG_2PI = np.log(2.0 * np.pi)


def cut(recordings: list[Array], length: int) -> Array:
    """All windows (W, T) at every half length of the recordings; those shorter than a window give none."""
    hop = length // 2
    return np.concatenate([sliding_window_view(r, length)[::hop] for r in recordings if len(r) >= length])


def laplace(train: list[Array], test: Array) -> Array:
    """Independent Laplace samples around 0, one scale."""
    scale = np.abs(np.concatenate(train)).mean()
    return np.asarray((np.abs(test) / scale + np.log(2.0 * scale)).sum(1))


def dct_gaussian(train: list[Array], test: Array) -> Array:
    """Independent normal DCT-II coefficients: the Gaussian of a window mirrored at its ends."""
    return _diagonal(fft.dct(cut(train, test.shape[1]), norm="ortho"), fft.dct(test, norm="ortho"))


def circulant_gaussian(train: list[Array], test: Array) -> Array:
    """Independent normal Fourier coefficients, one variance for the two parts of a bin: a window repeated."""
    power = np.mean(np.abs(fft.rfft(cut(train, test.shape[1]), norm="ortho")) ** 2, axis=0)
    length = test.shape[1]
    weight = np.where(np.arange(len(power)) * 2 % length == 0, 1.0, 2.0)
    energy = np.abs(fft.rfft(test, norm="ortho")) ** 2
    return np.asarray(0.5 * (weight * (energy / power + np.log(power) + _LOG_2PI)).sum(1))


def ar_gaussian(train: list[Array], test: Array, order: int = 32) -> Array:
    """Linear prediction from `order` samples, normal residual."""
    a = _predictor(train, order)
    variance = np.mean(np.concatenate([_residual(r[None], a)[0] for r in train]) ** 2)
    return _normal(_residual(test, a), variance).sum(1)


def ar_student(train: list[Array], test: Array, order: int = 32, every: int = 8) -> Array:
    """Linear prediction with a Student-t residual: predictor, scale and freedom of most likelihood.

    Fitted by EM (a Student-t is a normal of random precision) to every eighth sample and those before it.
    """
    regressors = np.concatenate([_regressors(r, order)[::every] for r in train])
    target, past = regressors[:, 0], regressors[:, 1:]
    a = np.linalg.lstsq(past, target, rcond=None)[0]
    nu, scale2 = 4.0, 0.1 * float(np.var(target - past @ a))
    for _ in range(15):
        e2 = (target - past @ a) ** 2
        weight = (nu + 1.0) / (nu + e2 / scale2)
        a = linalg.solve(past.T @ (weight[:, None] * past), past.T @ (weight * target), assume_a="pos")
        e2 = (target - past @ a) ** 2

        def loss(log: Array, e2: Array = e2) -> float:
            return float(_student(e2, np.exp(log[0]), np.exp(log[1])).mean())

        best = optimize.minimize(loss, np.log([nu, scale2]), method="Nelder-Mead", options={"maxiter": 60})
        nu, scale2 = np.exp(best.x)
    return _student(_residual(test, a) ** 2, nu, scale2).sum(1)


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
) -> Array:
    """Every block of a window has one of `predictors` linear predictors and one of `gains` residual scales.

    A block is predicted from the true samples before it. The choice of (predictor, gain) is independent from
    block to block, with learned probabilities: the density of a block is the mixture's. Predictors start by
    k-means on the log residual energy and are then trained, with gains and probabilities, by EM on `most`
    blocks taken at random.
    """
    rng = np.random.default_rng(seed)
    moments = np.concatenate([_block_moments(r[None], order, block)[0] for r in train])
    moments = moments[rng.permutation(len(moments))[:most]]
    a = _k_means(moments, predictors, block, rng)
    energy = _energies(moments, a)
    low, high = np.quantile(energy.min(1) / block, [0.002, 0.998])
    variance = np.geomspace(low, high, gains)
    log_weight = np.full((predictors, gains), -np.log(predictors * gains))
    for _ in range(rounds):
        mass, scaled, square, precision = _expectation(moments, a, variance, log_weight, block)
        log_weight = np.log(np.maximum(mass, 1e-9) / np.maximum(mass, 1e-9).sum())
        variance = square / (block * np.maximum(mass.sum(0), 1e-9))
        a = np.where(precision[:, None] > 0, _solve(scaled), a)
    seen = _block_moments(test, order, block)
    joint = _log_joint(seen.reshape(-1, *moments.shape[1:]), a, variance, log_weight, block)
    return np.asarray(-special.logsumexp(joint, axis=(1, 2)).reshape(len(test), -1).sum(1))


def _diagonal(train: Array, test: Array) -> Array:
    variance = np.mean(train**2, axis=0)
    return _normal(test, variance).sum(1)


def _normal(e: Array, variance: Array | float) -> Array:
    return np.asarray(0.5 * (e**2 / variance + np.log(variance) + _LOG_2PI))


def _student(e2: Array, nu: float, scale2: float) -> Array:
    constant = (
        special.gammaln(0.5 * nu) - special.gammaln(0.5 * (nu + 1.0)) + 0.5 * np.log(nu * np.pi * scale2)
    )
    return np.asarray(constant + 0.5 * (nu + 1.0) * np.log1p(e2 / (nu * scale2)))


def _regressors(x: Array, order: int) -> Array:
    """(n, 1 + order): every sample, then the samples before it, latest first; zeros before the first."""
    padded = np.concatenate((np.zeros(order), x))
    return np.asarray(sliding_window_view(padded, order + 1)[:, ::-1])


def _predictor(train: list[Array], order: int) -> Array:
    moments = sum(r.T @ r for r in (_regressors(x, order) for x in train))
    moments = np.asarray(moments)
    return np.asarray(linalg.solve(moments[1:, 1:], moments[1:, 0], assume_a="pos"))


def _residual(x: Array, a: Array) -> Array:
    """x minus its prediction, (W, T)."""
    return np.stack([w - _regressors(w, len(a))[:, 1:] @ a for w in x])


def _block_moments(x: Array, order: int, block: int) -> Array:
    """Sums of products of lagged samples over blocks: (W, blocks, order + 1, order + 1)."""
    blocks = x.shape[1] // block
    found = []
    for w in x:
        r = _regressors(w, order)[: blocks * block].reshape(blocks, block, order + 1)
        found.append(np.matmul(r.transpose(0, 2, 1), r))
    return np.stack(found)


def _errors(a: Array) -> Array:
    """Predictors (K, order) -> coefficients of the squared error on the moments, (K, (order + 1)^2)."""
    full = np.concatenate((np.ones((len(a), 1)), -a), axis=1)
    return np.asarray((full[:, :, None] * full[:, None, :]).reshape(len(a), -1))


def _energies(moments: Array, a: Array) -> Array:
    """Squared error of every predictor on every block, (blocks, K)."""
    energy = moments.reshape(len(moments), -1) @ _errors(a).T
    return np.maximum(energy, 1e-6 * moments[:, :1, 0] + 1e-12)


def _solve(moments: Array) -> Array:
    """Best predictor for each sum of moments (K, order + 1, order + 1)."""
    order = moments.shape[1] - 1
    ridge = 1e-7 * moments[:, 0, 0][:, None, None] * np.eye(order) + 1e-12 * np.eye(order)
    return np.asarray(np.linalg.solve(moments[:, 1:, 1:] + ridge, moments[:, 1:, :1])[..., 0])


def _k_means(moments: Array, count: int, block: int, rng: np.random.Generator) -> Array:
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


def _log_joint(moments: Array, a: Array, variance: Array, log_weight: Array, block: int) -> Array:
    """log p(block, predictor, gain), (blocks, K, G)."""
    energy = _energies(moments, a)
    scale = 0.5 * block * (np.log(variance) + _LOG_2PI)
    return np.asarray(log_weight - scale - 0.5 * energy[:, :, None] / variance)


def _expectation(
    moments: Array, a: Array, variance: Array, log_weight: Array, block: int
) -> tuple[Array, Array, Array, Array]:
    """Mass (K, G), moments weighted by precision (K, ...), energy (G,) and precision (K,): a round of EM."""
    mass, square = np.zeros(log_weight.shape), np.zeros(len(variance))
    scaled, precision = np.zeros((len(a), moments[0].size)), np.zeros(len(a))
    for start in range(0, len(moments), 2048):
        part = moments[start : start + 2048]
        joint = _log_joint(part, a, variance, log_weight, block)
        share = np.exp(joint - special.logsumexp(joint, axis=(1, 2), keepdims=True))
        mass += share.sum(0)
        square += np.einsum("bkg,bk->g", share, _energies(part, a))
        weight = share @ (1.0 / variance)
        scaled += weight.T @ part.reshape(len(part), -1)
        precision += weight.sum(0)
    return mass, scaled.reshape(len(a), *moments.shape[1:]), square, precision
