"""Is a sequence a copy? Its distance to the nearest stretch of the training data, at any place there.

Shapes: sequences (N, C, T); training stretches (C, L) of any lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


class TrainingIndex:
    """All stretches of T samples of the training data, ready to be compared with sequences.

    Cross-correlations with all of them come from FFTs of overlapping blocks; memory is about 32 bytes a
    sample. Raises ValueError where no stretch has T samples.
    """

    def __init__(self, stretches: Sequence[Array], length: int) -> None:
        held = [np.asarray(one, np.float64) for one in stretches if one.shape[1] >= length]
        if not held:
            raise ValueError(f"no training data of {length} samples in a row")
        self.length = length
        self._size = int(scipy.fft.next_fast_len(max(4 * length, 8192), real=True))
        self._hop = self._size - length + 1
        signal = np.concatenate(held, axis=1)
        signal -= signal.mean(axis=1, keepdims=True)
        total = signal.shape[1]
        places = total - length + 1
        energy = self._energy(signal)
        ends = np.cumsum([one.shape[1] for one in held])
        # Windows that would go over from one stretch to the next are no training data.
        torn = (ends[:-1, None] - np.arange(length - 1, 0, -1)).ravel()
        energy[torn] = np.inf
        count = -(-places // self._hop)
        padded = np.zeros((signal.shape[0], (count - 1) * self._hop + self._size))
        padded[:, :total] = signal
        blocks = np.lib.stride_tricks.sliding_window_view(padded, self._size, axis=1)[:, :: self._hop]
        self._blocks = torch.fft.rfft(torch.from_numpy(blocks.transpose(1, 0, 2).copy()))
        weight = np.zeros(count * self._hop)
        weight[:places] = np.where(energy > 0.0, 1.0 / np.sqrt(np.maximum(energy, 1e-300)), 0.0)
        self._weight = torch.from_numpy(weight.reshape(count, self._hop))

    def distance(self, x: Array) -> Array:
        """Distance of each sequence to its nearest stretch, (N,): 0 for a copy, 1 for nothing in common.

        d = (1 - ρ²)^½, with ρ the largest correlation over all places, channels together, each with its mean
        taken off: the part of the sequence that no multiple of any stretch explains, so a louder copy or one
        of the other sign is a copy too. NaN for a sequence that holds one value.
        """
        return np.array([self._one(np.asarray(one, np.float64)) for one in x])

    def _one(self, query: Array) -> float:
        size = float(np.abs(query).max())
        query = query - query.mean(axis=1, keepdims=True)
        norm = float(np.sqrt(np.square(query).sum()))
        if norm <= 1e-12 * self.length * size:
            return float("nan")
        turned = torch.fft.rfft(torch.from_numpy(query / norm), n=self._size).conj()
        products = torch.fft.irfft((self._blocks * turned).sum(dim=1), n=self._size)[:, : self._hop]
        largest = float((products.abs() * self._weight).max())
        return float(np.sqrt(max(0.0, 1.0 - min(1.0, largest) ** 2)))

    def _energy(self, signal: Array) -> Array:
        """Σ (x - mean)² of every window of the joined stretches, all channels: (places,)."""
        sums, squares = (
            np.concatenate([np.zeros((len(signal), 1)), np.cumsum(values, axis=1)], axis=1)
            for values in (signal, np.square(signal))
        )
        total = squares[:, -1:]
        sums, squares = (values[:, self.length :] - values[:, : -self.length] for values in (sums, squares))
        energy = squares - np.square(sums) / self.length
        # What is left of one value, after rounding, is nothing.
        energy[energy <= 1e-14 * total] = 0.0
        return np.asarray(energy.sum(axis=0))


def nearest_rows(features: Array, training: Array) -> Array:
    """Euclidean distance of each row (N, D) to the nearest of (M, D), over √D: (N,), units of a column."""
    a, b = (torch.from_numpy(np.ascontiguousarray(one, np.float64)) for one in (features, training))
    nearest = [torch.cdist(a[at : at + 256], b).min(dim=1).values for at in range(0, len(a), 256)]
    return np.asarray(torch.cat(nearest).numpy() / np.sqrt(features.shape[1]))


def closer_than_held_out(distances: Array, held_out: Array) -> float:
    """Ratio of the medians of the distances to training data: well below 1, and the sequences are copies.

    1 where both medians are 0. NaN distances are left out; NaN where nothing is left.
    """
    mine, other = (one[np.isfinite(one)] for one in (distances, held_out))
    if not len(mine) or not len(other):
        return float("nan")
    numerator, denominator = float(np.median(mine)), float(np.median(other))
    if denominator == 0.0:
        return 1.0 if numerator == 0.0 else float("inf")
    return numerator / denominator
