"""The worst interval of a recording, found while its scores stream by."""

from __future__ import annotations

import numpy as np

from .term import Array


class WorstInterval:
    """The contiguous samples around the highest score where it stays above half of that height.

    Half of the highest score M, where 0 is the usual level; a recording that nowhere exceeds the usual level
    (M <= 0) keeps the samples equal to M. Samples without a score (NaN) end the interval. It reaches at most
    `reach` samples back from its peak, which bounds the memory.
    """

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._history: Array = np.empty(0)
        self._open = False
        self.peak = -np.inf
        self.start: int | None = None
        self.end: int | None = None

    def add(self, start: int, scores: Array) -> None:
        """Add the scores (n,) of consecutive samples from `start` on; calls come in order, without gaps."""
        if not len(scores):
            return
        filled = np.where(np.isnan(scores), -np.inf, scores)
        top = int(filled.argmax())
        if filled[top] > self.peak:
            self._restart(start, filled, top)
        elif self._open:
            self._close(start, filled, 0)
        self._history = np.concatenate([self._history, filled])[-self._reach :]

    def _restart(self, start: int, scores: Array, top: int) -> None:
        self.peak = float(scores[top])
        before = np.concatenate([self._history, scores[:top]])[-self._reach :]
        below = np.flatnonzero(before < self._threshold)
        inside = len(before) - (int(below[-1]) + 1 if len(below) else 0)
        self.start = start + top - inside
        self._close(start, scores, top)

    def _close(self, start: int, scores: Array, begin: int) -> None:
        below = np.flatnonzero(scores[begin:] < self._threshold)
        self._open = not len(below)
        self.end = start + (len(scores) if self._open else begin + int(below[0]))

    @property
    def _threshold(self) -> float:
        return 0.5 * self.peak if self.peak > 0 else self.peak
