"""The worst interval of a recording, found while its scores stream by."""

from __future__ import annotations

import numpy as np

from .term import Array


class WorstInterval:
    """The samples around the highest score where it stays far above the usual, but for short dips.

    With M the highest score, 0 the usual level and 1 a height that normal windows reach, far is M/2 and not
    below 1; where M itself hardly exceeds 1, it is 0.8·M. A recording that nowhere exceeds the usual level
    (M <= 0) keeps the samples equal to M. The interval goes on beyond at most `dip` samples that lie below
    or have no score (NaN). It reaches at most `reach` samples back from its peak, which bounds the memory.
    """

    def __init__(self, dip: int, reach: int) -> None:
        self._dip = dip
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
            self.peak = float(filled[top])
            before = np.concatenate([self._history, filled[:top]])[-self._reach :]
            # The same rule backwards in time, from the peak on.
            self.start = start + top + 1 - self._extent(np.append(before, self.peak)[::-1])
            self.end, self._open = start + top + 1, True
            self._extend(start, filled, top + 1)
        elif self._open:
            self._extend(start, filled, 0)
        self._history = np.concatenate([self._history, filled])[-self._reach :]

    def _extend(self, start: int, scores: Array, begin: int) -> None:
        assert self.end is not None
        dipping = start + begin - self.end
        self.end += self._extent(np.concatenate([np.full(dipping, -np.inf), scores[begin:]]))
        self._open = start + len(scores) - self.end <= self._dip

    def _extent(self, scores: Array) -> int:
        """Samples up to the last one that belongs to the interval which ends in front of them."""
        level = max(0.5 * self.peak, min(1.0, 0.8 * self.peak)) if self.peak > 0 else self.peak
        # Behind the previous sample above the level: where each one is.
        above = np.flatnonzero(scores >= level) + 1
        apart = np.flatnonzero(np.diff(above, prepend=0) > self._dip + 1)
        inside = above[: apart[0]] if len(apart) else above
        return int(inside[-1]) if len(inside) else 0
