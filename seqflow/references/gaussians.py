"""Gaussian windows: with independent coefficients in a fixed basis, and with any covariance.

All are fitted by the largest likelihood, none is shrunk.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, linalg

from .fit import LOG_2PI, Array, Fit, Unfit, cut, normal_nats

MOST_DIMENSIONS = 2048
"""Largest windows, numbers over all channels, that a full covariance is fitted to."""

_WINDOWS_PER_DIMENSION = 8
_BLOCK = 1024


def dct_gaussian(train: list[Array], test: Array) -> Fit:
    """Independent zero-mean normal DCT-II coefficients: the Gaussian of a window mirrored at its ends."""
    variance = np.mean(fft.dct(cut(train, test.shape[1]), norm="ortho") ** 2, axis=0)
    return Fit(normal_nats(fft.dct(test, norm="ortho"), _floored(variance)).sum(1), test.shape[1])


def circulant_gaussian(train: list[Array], test: Array) -> Fit:
    """Independent normal Fourier coefficients, one variance for the two parts of a bin: a window repeated."""
    length = test.shape[1]
    power = _floored(np.mean(np.abs(fft.rfft(cut(train, length), norm="ortho")) ** 2, axis=0))
    weight = np.where(np.arange(len(power)) * 2 % length == 0, 1.0, 2.0)
    energy = np.abs(fft.rfft(test, norm="ortho")) ** 2
    nats = 0.5 * (weight * (energy / power + np.log(power) + LOG_2PI)).sum(1)
    return Fit(np.asarray(nats), len(power))


def full_gaussian(train: list[Array], test: Array) -> Fit:
    """Mean and covariance of whole windows, all channels together, as they are in the training data.

    Here stretches are (C, n) and test windows (W, C, T). The covariance has D(D+1)/2 numbers for windows of
    D = C·T: it overfits unless there are many times D independent windows. Training windows overlap as much
    as it takes to have 8·D of them. Raises Unfit for D above MOST_DIMENSIONS, or where the covariance is
    singular.
    """
    channels, length = test.shape[1:]
    size = channels * length
    if size > MOST_DIMENSIONS:
        raise Unfit(f"windows of {size} numbers; a full covariance is fitted to at most {MOST_DIMENSIONS}")
    total = sum(r.shape[1] for r in train)
    hop = min(max(1, length // 2), max(1, total // (_WINDOWS_PER_DIMENSION * size)))
    count, mean, square = 0, np.zeros(size), np.zeros((size, size))
    for stretch in train:
        if stretch.shape[1] < length:
            continue
        windows = sliding_window_view(stretch, length, axis=1)[:, ::hop].swapaxes(0, 1)
        for start in range(0, len(windows), _BLOCK):
            part = windows[start : start + _BLOCK].reshape(-1, size)
            count += len(part)
            mean += part.sum(0)
            square += part.T @ part
    if count <= size:
        raise Unfit(f"{count} training windows determine no covariance of {size} numbers")
    mean /= count
    covariance = square / count - np.outer(mean, mean)
    try:
        factor = linalg.cholesky(covariance, lower=True)
    except linalg.LinAlgError:
        raise Unfit(f"the covariance of {count} training windows is singular") from None
    white = linalg.solve_triangular(factor, (test.reshape(-1, size) - mean).T, lower=True)
    nats = 0.5 * (white**2).sum(0) + np.log(np.diagonal(factor)).sum() + 0.5 * size * LOG_2PI
    return Fit(np.asarray(nats, np.float64), size + size * (size + 1) // 2)


def _floored(variance: Array) -> Array:
    """Bins without any power would forbid what little a test window has there."""
    return np.asarray(np.maximum(variance, 1e-12 * variance.max() + np.finfo(np.float64).tiny))
