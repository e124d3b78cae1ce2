"""The units of a calibration: whole recordings, or blocks of consecutive windows that share no sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .calibration import Unit
from .fuse import attainable_rate
from .term import Array

_BLOCKS = 100


class Units(NamedTuple):
    """Where the units lie.

    Attributes:
        kind: what a unit is.
        per_unit: windows in a block; 0 for recordings.
        places: (recording, first window, end) of each unit.
    """

    kind: Unit
    per_unit: int
    places: list[tuple[int, int, int]]


def part(
    starts: Sequence[Array],
    window: int,
    hop: int,
    rate: float,
    unit: Literal["auto", "recording", "block"] = "auto",
) -> Units:
    """Units of recordings whose windows begin at `starts`, one array for each.

    "auto" takes recordings where there are enough of them to promise `rate` false alarms, blocks elsewhere.
    Blocks are so large that there are about 100, or twice as many as the rate needs; single windows where the
    recordings do not hold as many.
    """
    enough = attainable_rate(len(starts)) <= rate * (1.0 + 1e-9)
    if unit == "recording" or (unit == "auto" and enough):
        return Units("recording", 0, [(index, 0, len(found)) for index, found in enumerate(starts)])
    per_unit = _block_size(sum(map(len, starts)), window, hop, rate)
    per_unit = min(per_unit, max(map(len, starts)))
    return Units("block", per_unit, _blocks(starts, per_unit, window))


def expected(lengths: Sequence[int], window: int, hop: int, rate: float) -> Units:
    """Units of recordings of these lengths, samples, if all of them is valid.

    Recordings shorter than a window are left out; there must be another one.
    """
    ends = [length - window for length in lengths if length >= window]
    starts = [np.array([*range(0, end, hop), end], dtype=np.float64) for end in ends]
    return part(starts, window, hop, rate)


def _block_size(windows: int, window: int, hop: int, rate: float) -> int:
    wanted = max(_BLOCKS, math.ceil(2.0 / rate))
    # A block of m windows spans (m - 1) + window/hop hops, and the next begins behind it.
    return max(1, int(windows / wanted - window / hop + 1.0))


def _blocks(starts: Sequence[Array], per_unit: int, window: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for index, own in enumerate(starts):
        begin = 0
        while begin + per_unit <= len(own):
            end = begin + per_unit
            found.append((index, begin, end))
            begin = int(np.searchsorted(own, own[end - 1] + window, side="left"))
    return found
