"""Runs of true values in a signal that comes block by block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Runs:
    """Counts runs of at least `shortest` true values; how the signal is cut into blocks does not matter.

    Attributes:
        count: number of such runs.
        samples: values in them.
        longest: length of the longest.
    """

    def __init__(self, shortest: int = 1) -> None:
        self._shortest = shortest
        self.clear()

    def clear(self) -> None:
        """Forget all that came before."""
        self.count = self.samples = self.longest = 0
        self._open = 0

    def add(self, flags: NDArray[np.bool_]) -> None:
        """Take in the next block (n,)."""
        if not len(flags):
            return
        change = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
        lengths = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
        if flags[0] and self._open:
            if self._open >= self._shortest:  # counted already
                self.count -= 1
                self.samples -= self._open
            lengths[0] += self._open
        counted = lengths[lengths >= self._shortest]
        self.count += len(counted)
        self.samples += int(counted.sum())
        self.longest = max(self.longest, int(counted.max(initial=0)))
        self._open = int(lengths[-1]) if flags[-1] else 0
