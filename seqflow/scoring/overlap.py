"""Exact averages over the windows that cover a sample, in constant memory.

Shapes: K tracks; windows (K, W).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .term import Array

_PIECE = 1 << 20


class OverlapAverage:
    """Mean over all covering windows, per track and sample: (sum over windows) / (number of windows).

    Windows come in order of their starts; samples leave, in order and once each, when no further window can
    cover them. Samples that no window covers are NaN. Memory: the span of the windows not yet drained.
    """

    def __init__(self, tracks: int) -> None:
        self._base = 0
        self._used = 0
        self._total = np.zeros((tracks, 0))
        self._count = np.zeros(0)

    def add(self, start: int, values: Array) -> None:
        """Add a window's values (K, W), the first of them at sample `start`, which is not drained yet."""
        begin = start - self._base
        end = begin + values.shape[1]
        if begin < 0:
            raise ValueError(f"sample {start} has been drained: windows must come in order of their starts")
        if end > self._total.shape[1]:
            grown = max(end, 2 * self._total.shape[1])
            extra = grown - self._total.shape[1]
            self._total = np.concatenate([self._total, np.zeros((len(self._total), extra))], axis=1)
            self._count = np.concatenate([self._count, np.zeros(extra)])
        self._total[:, begin:end] += values
        self._count[begin:end] += 1.0
        self._used = max(self._used, end)

    def drain(self, upto: int) -> Iterator[tuple[int, Array]]:
        """(first sample, averages (K, n)) of the samples below `upto` that have not left yet."""
        while self._base < upto:
            n = min(upto - self._base, _PIECE)
            held = min(n, self._used)
            piece = np.full((self._total.shape[0], n), np.nan)
            count = self._count[:held]
            np.divide(self._total[:, :held], count, out=piece[:, :held], where=count > 0)
            start = self._base
            self._total = self._total[:, held:]
            self._count = self._count[held:]
            self._used -= held
            self._base += n
            yield start, piece

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: arrays and numbers."""
        return {
            "base": self._base,
            "total": self._total[:, : self._used].copy(),
            "count": self._count[: self._used].copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave. Raises ValueError where it is that of other tracks."""
        total, count = np.asarray(state["total"], np.float64), np.asarray(state["count"], np.float64)
        if total.shape != (len(self._total), len(count)):
            raise ValueError(f"averages of shape {total.shape}, {len(self._total)} tracks")
        self._base, self._used = int(state["base"]), len(count)
        self._total, self._count = total.copy(), count.copy()
