"""The worst interval of a recording, found while its scores stream by; the worst ones of a whole track."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .term import Array

_PIECE = 1 << 16


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
            self.start = start + top + 1 - extent(np.append(before, self.peak)[::-1], self.peak, self._dip)
            self.end, self._open = start + top + 1, True
            self._extend(start, filled, top + 1)
        elif self._open:
            self._extend(start, filled, 0)
        self._history = np.concatenate([self._history, filled])[-self._reach :]

    def _extend(self, start: int, scores: Array, begin: int) -> None:
        assert self.end is not None
        dipping = start + begin - self.end
        self.end += extent(np.concatenate([np.full(dipping, -np.inf), scores[begin:]]), self.peak, self._dip)
        self._open = start + len(scores) - self.end <= self._dip


class Interval(NamedTuple):
    """Samples start .. end - 1 around the sample `peak`, whose score is `height`."""

    start: int
    end: int
    peak: int
    height: float


def worst_intervals(
    scores: Array, count: int, *, dip: int, leading: Array | None = None, reach: int | None = None
) -> list[Interval]:
    """At most `count` intervals of a track (T,), the highest first: where each stays far above the usual.

    Each is that of `WorstInterval` around the highest score outside those before it. One that would run into
    them is their flank, and no interval of its own. `leading` (T,) are the scores that may be the highest,
    where they are others; NaN and scores at or below the usual level, 0, are none. `reach` bounds the samples
    before a peak as there.

    Tracks may lie in a file (`numpy.memmap`): they are read in pieces, and memory does not grow with them.
    """
    length = len(scores)
    tops = _Tops(scores if leading is None else leading)
    found: list[Interval] = []
    while len(found) < count and length:
        peak, height = tops.highest()
        if not height > 0.0:
            break
        low = max((one.end for one in found if one.end <= peak), default=-dip - 1)
        high = min((one.start for one in found if one.start > peak), default=length + dip + 1)
        first = max(0, low, 0 if reach is None else peak - reach)
        start = peak - _stretch(scores[first:peak][::-1], height, dip)
        end = peak + 1 + _stretch(scores[peak + 1 : high], height, dip)
        tops.take(start, end)
        if start - low > dip and high - end > dip:
            found.append(Interval(start, end, peak, height))
    return found


class _Tops:
    """The highest sample of a track outside of the stretches that were taken, by the maxima of its pieces."""

    def __init__(self, track: Array) -> None:
        self._track = track
        self._taken: list[tuple[int, int]] = []
        count = -(-len(track) // _PIECE)
        self._maxima = np.array([self._piece(k).max() for k in range(count)])

    def highest(self) -> tuple[int, float]:
        k = int(self._maxima.argmax())
        at = int(self._piece(k).argmax())
        return k * _PIECE + at, float(self._maxima[k])

    def take(self, start: int, end: int) -> None:
        self._taken.append((start, end))
        for k in range(start // _PIECE, -(-end // _PIECE)):
            inside = start <= k * _PIECE and (k + 1) * _PIECE <= end
            self._maxima[k] = -np.inf if inside else self._piece(k).max()

    def _piece(self, k: int) -> Array:
        begin = k * _PIECE
        piece = _filled(self._track[begin : begin + _PIECE])
        for start, end in self._taken:
            piece[max(0, start - begin) : max(0, end - begin)] = -np.inf
        return piece


def _stretch(scores: Array, peak: float, dip: int) -> int:
    """`extent`, reading no further than needed."""
    reached = 0
    for begin in range(0, len(scores), _PIECE):
        piece = _filled(scores[begin : begin + _PIECE])
        gap = np.full(begin - reached, -np.inf)
        reached += extent(np.concatenate([gap, piece]), peak, dip)
        if begin + len(piece) - reached > dip:
            break
    return reached


def _filled(scores: Array) -> Array:
    """A copy, with no score as the lowest of all."""
    return np.where(np.isnan(scores), -np.inf, scores)


def extent(scores: Array, peak: float, dip: int) -> int:
    """Samples up to the last one that belongs to the interval of this peak which ends in front of them."""
    level = max(0.5 * peak, min(1.0, 0.8 * peak)) if peak > 0 else peak
    # Behind the previous sample above the level: where each one is.
    above = np.flatnonzero(scores >= level) + 1
    apart = np.flatnonzero(np.diff(above, prepend=0) > dip + 1)
    inside = above[: apart[0]] if len(apart) else above
    return int(inside[-1]) if len(inside) else 0
