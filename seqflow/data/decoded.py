"""Samples of recordings as float32, decoded once where memory allows.

Shapes: values (C, n) float32, invalid samples 0; valid (n,) bool, true where every channel is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from .recording import Recording

Samples = tuple[NDArray[np.float32], NDArray[np.bool_]]


class Decoded:
    """Random access to samples; whole recordings stay in memory for as long as `budget` bytes hold them.

    What is in stays in: under random access that meets as often as throwing out the oldest would, and a
    recording that does not fit costs one short read instead of a whole decoding. Worker processes share the
    budget evenly.
    """

    def __init__(self, recordings: Sequence[Recording], budget: int) -> None:
        self._recordings = recordings
        self._budget = budget
        self._used = 0
        self._kept: dict[int, Samples] = {}

    def read(self, index: int, start: int, frames: int) -> Samples:
        """Samples start .. start + frames - 1 of a recording, fewer at its end; not to be written to."""
        kept = self._kept.get(index)
        if kept is None:
            recording = self._recordings[index]
            kept = self._keep(index, recording)
            if kept is None:
                return _convert(recording, start, frames)
        values, valid = kept
        return values[:, start : start + frames], valid[start : start + frames]

    def _keep(self, index: int, recording: Recording) -> Samples | None:
        size = recording.length * (4 * recording.channels + 1)
        worker = get_worker_info()
        if self._used + size > self._budget // (1 if worker is None else worker.num_workers):
            return None
        kept = _convert(recording, 0, recording.length)
        self._used += size
        self._kept[index] = kept
        return kept


def _convert(recording: Recording, start: int, frames: int) -> Samples:
    block = recording.read(start, frames)
    with np.errstate(over="ignore"):
        values = block.values.astype(np.float32)
    # Beyond the range of float32 a sample counts as missing, as an infinite one does.
    good = block.mask & np.isfinite(values)
    values[~good] = 0.0
    return values, np.asarray(good.all(axis=0))
