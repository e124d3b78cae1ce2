"""Rows in the order of their samples: a bounded wait for late ones, and what becomes of gaps.

Shapes: values, mask (C, k).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, NamedTuple

import numpy as np

from ..data.recording import Mask, Values
from ..data.regularity import JITTER
from .row import Row

RESYNC = 64
"""So many late rows in a row are no late ones: the sender has set its count or its clock back."""


class Piece(NamedTuple):
    """Consecutive samples (C, k) that come next; mask: which are valid. time: of the first, seconds."""

    values: Values
    mask: Mask
    time: float | None


class Gap(NamedTuple):
    """Samples that are missing before what comes next: so many, None where the sender began to count anew.

    masked: they follow as a masked Piece; else a new segment begins.
    """

    missing: int | None
    masked: bool


class Order:
    """Puts rows with keys in order. Rows without one come as they are.

    A row is expected where the last one ended; within half a sample, or 1% of the last row's length, it is
    there (sequence numbers must be exact). A row further on waits until what is missing has come, or until
    the rows held reach further than `wait` samples: then what is missing is a gap. One of at most `longest`
    samples becomes masked samples, a longer one begins a segment. A row further back came too late: it is
    left out and counted. Memory: `wait` samples and one row.

    Args:
        channels: C.
        wait: samples.
        longest: samples of the longest gap that is masked.
    """

    def __init__(self, channels: int, wait: float, longest: int) -> None:
        self._channels, self._wait, self._longest = channels, wait, longest
        self._held: list[Row] = []
        self._next: float | None = None
        self._slack = 0.0
        self._behind = 0
        self.late = 0
        """Samples that were left out."""

    def add(self, row: Row) -> list[Piece | Gap]:
        """What comes next, now that this row is there."""
        if row.key is None:
            return [_piece(row)]
        if self._next is not None and row.key < self._next - self._tolerance(row):
            self.late += row.values.shape[1]
            self._behind += 1
            if self._behind < RESYNC:
                return []
            found = [*self.flush(), Gap(None, False)]
            self.late -= row.values.shape[1]
            self._behind, self._next = 0, None
            return found + self.add(row)
        self._behind = 0
        at = bisect_left(self._held, row.key, key=_key)
        if at < len(self._held) and self._held[at].key == row.key:
            self.late += row.values.shape[1]
            return []
        self._held.insert(at, row)
        return self._release(self._wait)

    def flush(self) -> list[Piece | Gap]:
        """All that is held: nothing more comes."""
        return self._release(-np.inf)

    def state(self) -> dict[str, Any]:
        """Arrays and plain values that `restore` goes on from."""
        return {
            "held": {str(i): row.values for i, row in enumerate(self._held)},
            "rows": [[row.key, row.exact, row.time] for row in self._held],
            "next": self._next,
            "slack": self._slack,
            "behind": self._behind,
            "late": self.late,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._held = [
            Row(np.asarray(state["held"][str(i)]), key, exact, time)
            for i, (key, exact, time) in enumerate(state["rows"])
        ]
        self._next, self._slack = state["next"], float(state["slack"])
        self._behind, self.late = int(state["behind"]), int(state["late"])

    def _release(self, wait: float) -> list[Piece | Gap]:
        found: list[Piece | Gap] = []
        while self._held:
            row = self._held[0]
            reach = _end(self._held[-1]) - (_key(row) if self._next is None else self._next)
            ahead = 0.0 if self._next is None else _key(row) - self._next
            if self._next is None and reach <= wait:
                break  # at the beginning an earlier one may still come
            if ahead > self._tolerance(row):
                if reach <= wait:
                    break
                missing = round(ahead)
                found.append(Gap(missing, missing <= self._longest))
                if missing <= self._longest:
                    nothing = np.zeros((self._channels, missing))
                    found.append(Piece(nothing, np.zeros(nothing.shape, np.bool_), None))
            self._held.pop(0)
            if ahead < -self._tolerance(row):  # overlaps the one before it
                self.late += row.values.shape[1]
                continue
            found.append(_piece(row))
            self._next, self._slack = _end(row), max(0.5, JITTER * row.values.shape[1])
        return found

    def _tolerance(self, row: Row) -> float:
        return 0.0 if row.exact else self._slack


def _piece(row: Row) -> Piece:
    mask = np.isfinite(row.values)
    return Piece(np.where(mask, row.values, 0.0), mask, row.time)


def _key(row: Row) -> float:
    assert row.key is not None
    return row.key


def _end(row: Row) -> float:
    return _key(row) + float(row.values.shape[1])
