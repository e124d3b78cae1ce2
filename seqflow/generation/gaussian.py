"""A Gaussian for samples that are not known: what linear prediction fitted to the known ones says of them.

Shapes: sequences (n, C, T); unknown (C, T), true where a sample is not known, M of them in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from torch import Tensor

Array = NDArray[np.float64]

# Precision of the prior on each sample, in units of that of the known samples: keeps what no prediction
# error holds finite.
_PRIOR = 1e-3
# Least residual, relative to the known samples.
_LEAST = 1e-6
# Longest gradient that counts as such, in those of the median, and least curvature, in that of the mean.
_LONGEST, _FLATTEST = 5.0, 1e-3
# Prediction errors that are averaged into a level.
_NEAR = 64


@dataclass(frozen=True)
class Gaussian:
    """N(mean, factor·factorᵀ) for the M unknown samples of each of n sequences, in float64.

    Attributes:
        mean: (n, M), unknown samples channel by channel.
        factor: (n, M, M); any square root of the covariance.
    """

    mean: Tensor
    factor: Tensor

    def place(self, u: Tensor) -> Tensor:
        """Samples (n, M) from coordinates (n, M) that are standard normal under the Gaussian."""
        return self.mean + torch.einsum("nij,nj->ni", self.factor, u)

    def find(self, samples: Tensor) -> Tensor:
        """The coordinates (n, M) of samples (n, M)."""
        found: Tensor = torch.linalg.solve(self.factor, (samples - self.mean).unsqueeze(-1)).squeeze(-1)
        return found

    def pull(self, grad: Tensor) -> Tensor:
        """The gradient in the coordinates from that in the samples (n, M)."""
        return torch.einsum("nij,ni->nj", self.factor, grad)


def interpolate(x: Tensor, unknown: Tensor, order: int) -> Gaussian:
    """Least-squares autoregressive interpolation of the unknown samples of x (n, C, T), as a distribution.

    For each sequence and channel an autoregression of at most `order` taps is fitted to the known samples by
    least squares. Given it, the unknown samples are Gaussian; the mean is what minimises the prediction
    errors (Janssen, Veldhuis and Vries, 1986), here each in units of its level: that of the errors around it,
    which goes from one side of a gap to the other geometrically. Channels are taken for independent. What x
    holds at the unknown places has no influence.
    """
    values, missing = x.detach().double().cpu().numpy(), unknown.cpu().numpy()
    counts = missing.sum(axis=1)
    total = int(counts.sum())
    mean = np.zeros((len(values), total))
    factor = np.zeros((len(values), total, total))
    for index, sequence in enumerate(values):
        at = 0
        for lane, gap, count in zip(sequence, missing, counts, strict=True):
            here = slice(at, at + count)
            if count:
                mean[index, here], factor[index, here, here] = _channel(lane, gap, order)
            at += count
    return Gaussian(torch.from_numpy(mean).to(x.device), torch.from_numpy(factor).to(x.device))


def refine(guess: Gaussian, gradients: Tensor) -> Gaussian:
    """The Gaussian with coordinates that fit a density better, from gradients of its potential.

    Args:
        guess: coordinates so far.
        gradients: (K, n, M) in the samples, at K states of each sequence, drawn from about that density.

    The mean square of the gradient is the mean curvature: coordinates become those in which it is the
    identity. The fewer states, the more of it is taken to be diagonal in the coordinates so far. Each
    sequence is refined by its own states.
    """
    pulled = torch.einsum("nij,kni->nkj", guess.factor, gradients)
    count, size = pulled.shape[1:]
    # A trajectory that ran away must not rule: its gradients are cut, those that are no numbers are none.
    pulled = torch.where(torch.isfinite(pulled).all(2, keepdim=True), pulled, torch.zeros_like(pulled))
    norm = pulled.norm(dim=2, keepdim=True)
    longest = _LONGEST * norm.median(dim=1, keepdim=True).values
    pulled = pulled * torch.where(norm > longest, longest / norm, torch.ones_like(norm))
    curvature = pulled.transpose(1, 2) @ pulled / count
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    # Of directions without a gradient nothing can be said: no step there is to be without end.
    mean = diagonal.mean(1, keepdim=True)
    diagonal = torch.maximum(diagonal, _FLATTEST * mean)
    weight = count / (count + 2.0 * size)
    curvature = weight * curvature + (1.0 - weight) * torch.diag_embed(diagonal)
    curvature = torch.where(mean.unsqueeze(2) > 0.0, curvature, torch.eye(size).to(curvature))
    lower = torch.linalg.cholesky(curvature)
    # factor · lower⁻ᵀ
    factor = torch.linalg.solve_triangular(lower.transpose(1, 2), guess.factor, upper=True, left=False)
    return Gaussian(guess.mean, factor)


def _channel(x: Array, gap: NDArray[np.bool_], order: int) -> tuple[Array, Array]:
    """Mean (M,) and factor (M, M) for one channel (T,)."""
    known = x[~gap]
    level = float(known.mean()) if len(known) else 0.0
    power = float(known.var()) if len(known) else 1.0
    power = power or 1.0
    centred = np.where(gap, 0.0, x - level)
    taps, residual = _fit(centred, gap, order, power)
    errors = _prediction(len(x), taps)
    moving = errors[:, gap]
    touched = np.abs(moving).sum(axis=1) > 0
    fixed = errors @ centred
    variance = _levels(fixed, ~touched, residual)[touched, None]
    moving, fixed = moving[touched], fixed[touched]
    precision = moving.T @ (moving / variance) + (_PRIOR / power) * np.eye(moving.shape[1])
    mean = level - np.linalg.solve(precision, moving.T @ (fixed / variance[:, 0]))
    # precision = L Lᵀ, so that L⁻ᵀ is a root of the covariance.
    lower = np.linalg.cholesky(precision)
    return mean, np.linalg.inv(lower).T


def _fit(x: Array, gap: NDArray[np.bool_], order: int, power: float) -> tuple[Array, float]:
    """Taps (1, -a_1, ..., -a_p) of the prediction error and its variance."""
    order = min(order, len(x) // 4)
    while order > 0:
        whole = ~np.lib.stride_tricks.sliding_window_view(gap, order + 1).any(axis=1)
        if whole.sum() >= 3 * order:
            break
        order //= 2
    if order == 0:
        return np.ones(1), power
    rows = np.lib.stride_tricks.sliding_window_view(x, order + 1)[whole]
    past, now = rows[:, :-1][:, ::-1], rows[:, -1]
    gram = past.T @ past + 1e-9 * power * len(rows) * np.eye(order)
    weights = np.linalg.solve(gram, past.T @ now)
    residual = float(np.square(now - past @ weights).mean())
    return np.concatenate(([1.0], -weights)), max(residual, _LEAST**2 * power)


def _levels(errors: Array, known: NDArray[np.bool_], residual: float) -> Array:
    """Variance of the prediction errors (R,) around each of them, from those that are known."""
    count = uniform_filter1d(known.astype(np.float64), _NEAR, mode="constant")
    there = count * _NEAR > 0.5 * min(_NEAR, len(errors)) - 1.0
    there &= known
    if not there.any():
        return np.full(len(errors), residual)
    power = uniform_filter1d(np.where(known, errors**2, 0.0), _NEAR, mode="constant")
    at = np.flatnonzero(there)
    logs = np.log(np.maximum(power[at] / count[at], _LEAST * residual))
    return np.exp(np.interp(np.arange(len(errors)), at, logs))


def _prediction(length: int, taps: Array) -> Array:
    """The matrix (length - p, length) that takes a signal to its prediction errors."""
    order = len(taps) - 1
    matrix = np.zeros((max(0, length - order), length))
    for lag, tap in enumerate(taps):
        rows = np.arange(len(matrix))
        matrix[rows, rows + order - lag] = tap
    return matrix


def prediction_errors(x: Array, order: int) -> Array:
    """Errors (..., T) of the linear prediction fitted to each sequence; 0 where there is no whole past."""
    flat = x.reshape(-1, x.shape[-1])
    errors = np.zeros_like(flat)
    known = np.zeros(x.shape[-1], dtype=bool)
    for row, lane in zip(errors, flat, strict=True):
        centred = lane - lane.mean()
        taps, _ = _fit(centred, known, order, float(centred.var()) or 1.0)
        row[len(taps) - 1 :] = np.convolve(centred, taps, mode="valid")
    return errors.reshape(x.shape)
