"""The channels of a table as its values give them, row by row: chosen, and mixed where mono is asked for.

Shapes: values (C, n) float64, NaN or infinite where missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .lattice import sample_blocks
from .spool import Spool

Doubles = NDArray[np.float64]

# Bytes of samples that are held to look for their step and their typical change.
_MOST = 256 << 20


class Channels:
    """Columns of a spool (n, width), or the mean of them as one channel."""

    def __init__(self, values: Spool, columns: Sequence[int], *, mono: bool) -> None:
        self._values, self._columns, self._mono = values, list(columns), mono
        self.rows = values.length
        self.count = 1 if mono else len(columns)

    def read(self, start: int, count: int) -> Doubles:
        """Consecutive rows."""
        return self._mixed(self._values.read(start, count, self._columns))

    def take(self, rows: NDArray[np.int64]) -> Doubles:
        """Any rows."""
        return self._mixed(self._values.take(rows, self._columns))

    def blocks(self) -> Iterator[Doubles]:
        """All rows, some at a time."""
        for block in self._values.blocks(self._columns):
            yield self._mixed(block)

    def sampled(self) -> Iterator[Doubles]:
        """The rows that `sample_blocks` chooses, (m,) of every channel in turn."""
        spans = sample_blocks(self.rows)
        together = max(1, _MOST // (8 * sum(count for _, count in spans) or 1))
        for first in range(0, self.count, together):
            some = self if self._mono else self._part(first, first + together)
            yield from np.concatenate([some.read(start, count) for start, count in spans], axis=1)

    def _part(self, first: int, stop: int) -> Channels:
        return Channels(self._values, self._columns[first:stop], mono=False)

    def _mixed(self, rows: Doubles) -> Doubles:
        columns = np.ascontiguousarray(rows.T)
        return mean(columns)[None] if self._mono else columns


def mean(columns: Doubles) -> Doubles:
    """The mean (n,) of columns (C, n), summed in their order: that of a sample does not depend on n."""
    total = columns[0].copy()
    with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean: NaN
        for column in columns[1:]:
            total += column
        return np.asarray(total / len(columns))


def fits_float32(channels: Channels, step: float | None) -> bool:
    """Whether rounding to float32 stays below a thousandth of the step, or of a typical change, in all."""
    error, peak = np.zeros(channels.count), np.zeros(channels.count)
    for block in channels.blocks():
        finite = np.where(np.isfinite(block), block, 0.0)
        with np.errstate(over="ignore"):
            error = np.maximum(error, np.abs(finite - finite.astype(np.float32)).max(axis=1, initial=0.0))
        peak = np.maximum(peak, np.abs(finite).max(axis=1, initial=0.0))
    if not error.any():
        return True
    for channel, column in enumerate(channels.sampled()):
        if error[channel] > 1e-3 * (step or _typical_change(column) or float(peak[channel])):
            return False
    return True


def _typical_change(column: Doubles) -> float:
    """The median change from one value to the next, 0 where none changes."""
    changes = np.abs(np.diff(column[np.isfinite(column)]))
    changes = changes[changes > 0]
    return float(np.median(changes)) if len(changes) else 0.0
