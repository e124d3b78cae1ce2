"""Windows over a recording of any length, read block by block.

Shapes: blocks (C, n); windows (C, W).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.recording import Mask, Values


class Window(NamedTuple):
    """A window (C, W) of valid samples, and the index of its first sample."""

    start: int
    values: Values


class Slider:
    """Cuts a stream of samples into windows that hold no invalid sample.

    The stream falls into runs of samples that are valid in every channel. Each run is covered like a
    recording of its own: windows start every `hop` samples from its beginning, and one more ends with the run
    where the last of them does not. So every sample of a run of at least `window` samples is covered, and an
    invalid sample costs its neighbours nothing. Shorter runs get no window.

    Memory: a window and a block. The windows do not depend on how the stream was cut into blocks.

    Raises ValueError unless 1 <= hop <= window.
    """

    def __init__(self, window: int, hop: int) -> None:
        if not 1 <= hop <= window:
            raise ValueError(f"the hop must lie between 1 and the window of {window} samples, got {hop}")
        self.window = window
        self.hop = hop
        self.position = 0
        self._next = 0
        self._buffer: Values = np.empty((0, 0))

    def feed(self, values: Values, mask: Mask) -> Iterator[Window]:
        """The windows that a block (C, n) completes, in order of their starts."""
        good = np.asarray(mask.all(axis=0))
        for begin, end, valid in _runs(good):
            if not valid:
                yield from self._close()
                self.position += end - begin
                continue
            if self._buffer.shape[1] == 0:
                self._next = self.position
            yield from self._extend(values[:, begin:end])

    def finish(self) -> Iterator[Window]:
        """The last window of the run, once it has ended; what comes then begins another run."""
        yield from self._close()

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: arrays and numbers."""
        return {"position": self.position, "next": self._next, "buffer": self._buffer.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.position, self._next = int(state["position"]), int(state["next"])
        self._buffer = np.array(state["buffer"])

    def _extend(self, values: Values) -> Iterator[Window]:
        held = self._buffer.shape[1]
        buffer = np.concatenate([self._buffer, values], axis=1) if held else np.array(values)
        origin = self.position - held
        self.position += values.shape[1]
        while self._next + self.window <= self.position:
            at = self._next - origin
            yield Window(self._next, buffer[:, at : at + self.window])
            self._next += self.hop
        # A window that ends with the run may reach back this far.
        keep = min(self.window, buffer.shape[1])
        self._buffer = buffer[:, buffer.shape[1] - keep :].copy()

    def _close(self) -> Iterator[Window]:
        start = self.position - self.window
        last = self._next - self.hop
        if self._buffer.shape[1] == self.window and start > last:
            yield Window(start, self._buffer)
        self._buffer = np.empty((0, 0))


def _runs(good: NDArray[np.bool_]) -> Iterator[tuple[int, int, bool]]:
    """(begin, end, value) of the runs of equal values."""
    if not len(good):
        return
    edges = [0, *(np.flatnonzero(good[1:] != good[:-1]) + 1).tolist(), len(good)]
    for begin, end in pairwise(edges):
        yield begin, end, bool(good[begin])
