"""Rows in the order of time put on even steps: which sample each of them is, and which are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .quantile import running_sum
from .spool import Spool

Seconds = NDArray[np.float64]


class Filling:
    """Rows with times `seconds` (n,), which do not fall, on steps of `step` seconds.

    Of rows less than half a step after the last one kept, none is kept. Between two that are, as many samples
    are masked as steps are missing, rounded.

    Attributes:
        length: number of samples, as a float: a wrong date makes more than there are whole numbers for.
        order, places: as of an Arrangement, of no use where the length is above `most`.
        left: rows left out; `first_left`: the one of them that comes first in the file.
        twice: whether two rows have one time.
        widest: steps from one row that is kept to the next, the most; `after_widest`: that next row.
    """

    def __init__(self, path: Path, seconds: Spool, order: Spool | None, step: float, most: int) -> None:
        self._seconds, self._order, self._step = seconds, order, step
        self.length, self.left, self.first_left = 1.0, 0, -1
        self.widest, self.after_widest = -1.0, -1
        self.twice, crowded = self._look()
        self.order = Spool(path, np.int64) if crowded or order is not None else None
        self.places: Spool | None = Spool(path, np.int64)
        self._last = -np.inf
        begin = 0
        for block in seconds.blocks():
            rows = np.arange(begin, begin + len(block)) if order is None else order.read(begin, len(block))
            before = self._last
            kept = self._kept(block) if crowded else np.ones(len(block), np.bool_)
            if crowded:
                left = rows[~kept]
                if len(left):
                    first = int(left.min())
                    self.first_left = first if not self.left else min(first, self.first_left)
                    self.left += len(left)
                block, rows = block[kept], rows[kept]
            if len(block):
                self._last = float(block[-1])
                self._put(block, rows, before, most)
            begin += len(kept)
        if self.length == self.places.length:  # no gap
            self.places.close()
            self.places = None

    def _look(self) -> tuple[bool, bool]:
        """Whether two rows have one time, and whether two fall on one step."""
        twice = crowded = False
        for _, steps in self._seconds.steps():
            twice |= bool((steps == 0).any())
            crowded |= bool((np.rint(steps / self._step) == 0).any())
        return twice, crowded

    def _kept(self, block: Seconds) -> NDArray[np.bool_]:
        kept, last = np.zeros(len(block), np.bool_), self._last
        for i, time in enumerate(block.tolist()):
            # As round half to even does for the counts: half a step is no step.
            if time - last > 0.5 * self._step:
                kept[i], last = True, time
        return kept

    def _put(self, block: Seconds, rows: NDArray[np.int64], before: float, most: int) -> None:
        assert self.places is not None
        first = not np.isfinite(before)
        counts = np.rint(np.diff(block if first else np.concatenate([[before], block])) / self._step)
        if len(counts) and counts.max() > self.widest:
            widest = int(counts.argmax())
            self.widest, self.after_widest = float(counts[widest]), int(rows[widest + first])
        begin = self.length - 1.0
        self.length = running_sum(self.length, counts)
        if self.length > most:
            return
        steps = np.concatenate([[0.0], counts]) if first else counts
        self.places.append((begin + np.cumsum(steps)).astype(np.int64))
        if self.order is not None:
            self.order.append(rows)
