"""The held-out windows that all densities are measured on, and the stretches that references are fitted to.

Shapes: windows (W, C, T) and stretches (C, n), float64, in the units of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.recording import Recording
from ..data.split import Parts
from ..errors import UsageError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_BLOCK = 1 << 16
_LONGEST = 1 << 18
_MOST = 1 << 23


@dataclass(frozen=True)
class HeldOut:
    """Windows without a missing sample, or one that a label calls anomalous.

    Attributes:
        x: (W, C, T), as recorded.
        which: (W,) the recording of each.
        position: (W,) its first sample in the whole recording.
        step: (W,) quantisation step, units of x; 0 for continuous data.
        conditions: what is declared about each recording.
        recordings: those that windows may come from.
    """

    x: Array
    which: Index
    position: Index
    step: Array
    conditions: tuple[Mapping[str, str], ...]
    recordings: Sequence[Recording]

    @property
    def span(self) -> NDArray[np.float32]:
        """(W, 2) where each window begins and ends, as fractions of its recording."""
        starts = np.array([self.recordings[index].start for index in self.which])
        lengths = np.array([self.recordings[index].length for index in self.which])
        begins = self.position - starts
        ends = begins + self.x.shape[2]
        return np.asarray(np.stack((begins, ends), 1) / lengths[:, None], np.float32)

    @property
    def log_step(self) -> Array | None:
        """(W,) logarithms of the steps; None unless all windows have one."""
        return np.log(self.step) if bool((self.step > 0).all()) else None


def held_out(parts: Parts, part: str, length: int, count: int) -> tuple[HeldOut, str]:
    """At most `count` windows of a part, evenly spread over all places in its recordings, and its name.

    `part` is test, valid or calibration; auto takes the first of them that has a whole window. Fewer places
    than windows give a window each. Raises UsageError where there is none.
    """
    names = ("test", "valid", "calibration") if part == "auto" else (part,)
    for name in names:
        found = choose(getattr(parts, name), length, count)
        if found is not None:
            return found, name
    where = "held-out recordings have" if part == "auto" else f"{part} recordings have"
    raise UsageError(
        f"benchmark density: the {where} no whole window of {length} normal samples; give a shorter "
        "--length, or hold more back with data.split"
    )


def choose(recordings: Sequence[Recording], length: int, count: int) -> HeldOut | None:
    """The windows, evenly spread over the places where one begins; None where there are none."""
    stretches = [
        (index, start, stop)
        for index, recording in enumerate(recordings)
        for start, stop in runs(recording, normal=True)
    ]
    places = np.array([max(0, stop - start - length + 1) for _, start, stop in stretches], np.int64)
    ends = places.cumsum()
    if not len(ends) or not ends[-1]:
        return None
    chosen = np.linspace(0, ends[-1] - 1, min(count, int(ends[-1]))).astype(np.int64)
    among = np.searchsorted(ends, chosen, side="right")
    starts = chosen - (ends - places)[among] + np.array([start for _, start, _ in stretches])[among]
    which = np.array([index for index, _, _ in stretches], np.int64)[among]
    x = np.stack(
        [
            np.asarray(recordings[index].read(start, length).values, np.float64)
            for index, start in zip(which.tolist(), starts.tolist(), strict=True)
        ]
    )
    return HeldOut(
        x=x,
        which=which,
        position=starts + np.array([one.start for one in recordings], np.int64)[which],
        step=np.array([one.step or 0.0 for one in recordings])[which],
        conditions=tuple(one.conditions for one in recordings),
        recordings=recordings,
    )


def fitted_to(parts: Parts, part: str) -> list[Recording]:
    """What references are fitted to: all recordings that are not test data, without those of `part`.

    By name, then by time. That is more than a flow learns from: what validates and calibrates is among it.
    """
    names = [name for name in ("train", "valid", "calibration") if name != part]
    return sorted(
        (one for name in names for one in getattr(parts, name)), key=lambda one: (one.name, one.start)
    )


def stretches(recordings: Sequence[Recording], rng: np.random.Generator) -> list[Array]:
    """Stretches (C, n) without a missing sample, with noise of one step; about 8 million samples at most.

    Longer ones come in pieces; where there are more, as many pieces evenly spread.
    """
    pieces = [
        (recording, at, min(at + _LONGEST, stop))
        for recording in recordings
        for start, stop in runs(recording)
        for at in range(start, stop, _LONGEST)
    ]
    total = sum(stop - start for _, start, stop in pieces)
    if total > _MOST:
        keep = max(1, len(pieces) * _MOST // total)
        pieces = [pieces[(2 * i + 1) * len(pieces) // (2 * keep)] for i in range(keep)]
    return [
        dithered(recording.read(start, stop - start).values, recording.step or 0.0, rng)
        for recording, start, stop in pieces
    ]


def dithered(x: NDArray[np.floating[Any]], step: float | Array, rng: np.random.Generator) -> Array:
    """x + step·u with u uniform in [0, 1)."""
    return np.asarray(x + step * rng.random(x.shape), np.float64)


def runs(recording: Recording, *, normal: bool = False) -> Iterator[tuple[int, int]]:
    """First sample and end of every stretch without a missing sample; `normal`: nor a labelled one."""
    masks = [block.mask.all(axis=0) for block in recording.blocks(_BLOCK)]
    valid = np.concatenate([*masks, np.zeros(0, np.bool_)])
    labels = recording.labels() if normal else None
    if labels is not None:
        valid &= ~labels[: len(valid)]
    change = np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8))
    yield from zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True)
