"""Rows put in the order of their times, also where the times do not fit memory: sorted runs are merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import spool
from .spool import Spool


def in_time_order(path: Path, seconds: Spool) -> tuple[Spool, Spool]:
    """The times (n,) in rising order, and the row of each; rows of one time stay in their order.

    `seconds` is given up. Raises ResourceError where there is no room for the two.
    """
    # Sorting takes some arrays as large as a run, and merging parts of all runs, together no larger than one.
    size = max(1, spool.LARGE // 32)
    stored = Spool(path, np.float64), Spool(path, np.int64)
    runs = []
    for start in range(0, seconds.length, size):
        part = seconds.read(start, size)
        order = np.argsort(part, kind="stable")
        stored[0].append(part[order])
        stored[1].append(order + start)
        runs.append(_Run(stored, start, start + len(part)))
    seconds.close()
    times, rows = Spool(path, np.float64), Spool(path, np.int64)
    ahead = max(1, min(spool.ROWS, size // max(1, len(runs))))
    while runs := [run for run in runs if run.load(ahead)]:
        # What the first run to end its part holds is next, and what others hold before it. Rows of its last
        # time may follow in that run, and go before those of the later runs.
        open_ = [(float(run.times[-1]), turn) for turn, run in enumerate(runs) if run.more]
        limit, least = min(open_, default=(np.inf, len(runs)))
        parts = [run.until(limit, inclusive=turn <= least) for turn, run in enumerate(runs)]
        joined = np.concatenate([part[0] for part in parts])
        order = np.argsort(joined, kind="stable")
        times.append(joined[order])
        rows.append(np.concatenate([part[1] for part in parts])[order])
    return times, rows


class _Run:
    """Sorted rows, of which a part is in memory: those from `begin` to `end` of the times and rows stored.

    Attributes:
        times: of that part.
        more: whether others follow it.
    """

    def __init__(self, stored: tuple[Spool, Spool], begin: int, end: int) -> None:
        self._stored, self._next, self._end = stored, begin, end
        self.times: NDArray[np.float64] = np.empty(0)
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def more(self) -> bool:
        return self._next < self._end

    def load(self, ahead: int) -> bool:
        """See that there are times in memory; false where there are none left."""
        if not len(self.times):
            ahead = min(ahead, self._end - self._next)
            self.times, self._rows = (part.read(self._next, ahead) for part in self._stored)
            self._next += len(self.times)
        return len(self.times) > 0

    def until(self, limit: float, *, inclusive: bool) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Take out the times below the limit, or up to it, and their rows."""
        count = int(np.searchsorted(self.times, limit, side="right" if inclusive else "left"))
        found = self.times[:count], self._rows[:count]
        self.times, self._rows = self.times[count:], self._rows[count:]
        return found
