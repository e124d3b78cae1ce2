"""What every reader hands out: a recording whose samples come by position or in order.

Shapes: values (C, n) in the units of the recording; mask (C, n), true where a sample is valid.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Kind = Literal["audio", "series"]
_NONE: Mapping[str, str] = {}


class Block(NamedTuple):
    """Consecutive samples: values (C, n), and mask (C, n) of the valid ones. Invalid values are 0."""

    values: Values
    mask: Mask


class Recording(ABC):
    """A recording, or a part of one.

    Attributes:
        name: short name for tables, unique in its collection: a path below the root, `/` as separator.
        path: file it comes from; "" for none.
        kind: "audio" (full scale 1.0) or "series" (units of the sensor).
        channels: C.
        channel_names: (C) names of the columns; () where channels have no names.
        rate: samples per second, Hz, as handed out; None for data without a clock.
        step: quantisation step in the units of the values; None where there is none.
        length: samples per channel that the file declares, as handed out.
        start: index in the whole recording of the first sample handed out; 0 but for parts.
        status: "ok", or the reason code of a fault that still lets the file be read, as `truncated`. Known
            for certain once `blocks` has come to its end.
        detail: a line on that fault.
        conditions: what is declared about the recording, values by the names of `data.conditions`.
        digest: that of its file, see `file_digest`, where `path` is not there to be asked; else "".
    """

    name: str
    path: str
    kind: Kind
    channels: int
    channel_names: tuple[str, ...]
    rate: float | None
    step: float | None
    length: int
    start: int
    status: str
    detail: str
    conditions: Mapping[str, str] = _NONE
    digest: str = ""

    @abstractmethod
    def read(self, start: int, frames: int) -> Block:
        """Samples start .. start + frames - 1 (C, n), fewer at the end; the file is not read as a whole.

        Raises InputError where the file cannot be read there.
        """

    def blocks(self, frames: int) -> Iterator[Block]:
        """All samples in order, in blocks of `frames`, the last of them shorter. Memory: one block."""
        for start in range(0, self.length, frames):
            block = self.read(start, min(frames, self.length - start))
            if block.values.shape[1]:
                yield block

    def labels(self) -> NDArray[np.bool_] | None:
        """(length,) true where the file calls a sample anomalous; None where it has no labels."""
        return None

    def time_of(self, index: int) -> str | None:
        """The time stamp of a sample as the file has it; None where there is none, or it was not kept."""
        return None

    def part(self, start: int, stop: int) -> Recording:
        """The samples start .. stop - 1 as a recording of its own, with `start` moved on."""
        return Part(self, start, stop)


class Recordings(Sequence[Recording], ABC):
    """Recordings that are made when they are asked for."""

    @abstractmethod
    def column(self, key: str) -> Sequence[Any]:
        """An attribute of each of them."""


def facts(recordings: Sequence[Recording], key: str) -> Sequence[Any]:
    """An attribute of every recording; without making them, where there may be a million."""
    if isinstance(recordings, Recordings):
        return recordings.column(key)
    return [getattr(recording, key) for recording in recordings]


class Part(Recording):
    """A stretch of a recording."""

    def __init__(self, whole: Recording, start: int, stop: int) -> None:
        if not 0 <= start <= stop <= whole.length:
            raise ValueError(f"samples {start} to {stop} do not lie in {whole.length}")
        self.whole = whole
        self.begin = start
        self.name, self.path, self.kind = whole.name, whole.path, whole.kind
        self.channels, self.channel_names = whole.channels, whole.channel_names
        self.rate, self.step = whole.rate, whole.step
        self.length = stop - start
        self.start = whole.start + start
        self.status, self.detail = whole.status, whole.detail
        self.conditions, self.digest = whole.conditions, whole.digest

    def read(self, start: int, frames: int) -> Block:
        """Samples of the stretch; never beyond its end."""
        frames = max(0, min(frames, self.length - start))
        return self.whole.read(self.begin + start, frames)

    def labels(self) -> NDArray[np.bool_] | None:
        """The labels of the stretch."""
        labels = self.whole.labels()
        return None if labels is None else labels[self.begin : self.begin + self.length]

    def time_of(self, index: int) -> str | None:
        """The time stamp of a sample of the stretch."""
        return self.whole.time_of(self.begin + index)


class ArrayRecording(Recording):
    """An array (C, T) or (T,) in memory. NaN and infinite samples count as missing.

    Raises ValueError for an array of another shape.
    """

    def __init__(
        self,
        values: Values,
        *,
        name: str = "array",
        path: str = "",
        kind: Kind = "series",
        rate: float | None = None,
        step: float | None = None,
        channel_names: tuple[str, ...] = (),
        conditions: Mapping[str, str] = _NONE,
    ) -> None:
        array = np.asarray(values)
        if array.ndim == 1:
            array = array[None]
        if array.ndim != 2 or array.shape[0] < 1:
            raise ValueError(f"expected (channels, time) or (time,), got shape {np.shape(values)}")
        self.values = array
        self.name, self.path, self.kind = name, path, kind
        self.channels, self.channel_names = array.shape[0], channel_names
        self.rate, self.step = rate, step
        self.length, self.start = array.shape[1], 0
        self.status, self.detail = "ok", ""
        self.conditions = conditions

    def read(self, start: int, frames: int) -> Block:
        """A view of the array; copied where samples are missing."""
        values = self.values[:, start : start + frames]
        mask = np.isfinite(values)
        return Block(values if mask.all() else np.where(mask, values, 0.0), mask)
