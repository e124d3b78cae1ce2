"""The units of a calibration: whole recordings, or blocks of consecutive windows that share no sample."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .calibration import Unit
from .fuse import attainable_rate
from .tail import LEAST, REACH
from .term import Array

_BLOCKS = 100
_ENOUGH = 0.7
"""Share of the blocks aimed at that will do."""


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
    classes: Sequence[str] | None = None,
    tail: bool = False,
) -> Units:
    """Units of recordings whose windows begin at `starts`, one array for each.

    "auto" takes recordings where there are enough of them to promise `rate` false alarms, blocks elsewhere;
    with `classes`, one for each recording, enough of every class, and with a `tail` enough to fit one.
    Blocks are so large that there are about 100, or twice as many as the rate needs, of a class on average;
    smaller ones where most recordings are too short for them, down to single windows.
    """
    sizes = Counter(len(starts) * [""] if classes is None else classes)
    fewest = min(sizes.values(), default=0)
    least = LEAST if tail else 0
    rate *= REACH if tail else 1
    enough = fewest >= least and attainable_rate(fewest) <= rate * (1.0 + 1e-9)
    if unit == "recording" or (unit == "auto" and enough):
        return Units("recording", 0, [(index, 0, len(found)) for index, found in enumerate(starts)])
    wanted = max(2 * least, _BLOCKS, math.ceil(2.0 / rate)) * len(sizes)
    per_unit = _block_size(sum(map(len, starts)), window, hop, wanted)
    per_unit = min(per_unit, max(map(len, starts)))
    found = _blocks(starts, per_unit, window)
    # Blocks that most recordings are too short for would leave hardly any.
    while per_unit > 1 and len(found) < _ENOUGH * wanted:
        per_unit = max(1, int(0.8 * per_unit))
        found = _blocks(starts, per_unit, window)
    return Units("block", per_unit, found)


def expected(
    lengths: Sequence[int],
    window: int,
    hop: int,
    rate: float,
    unit: Literal["auto", "recording", "block"] = "auto",
) -> Units:
    """Units of recordings of these lengths, samples, if all of them is valid.

    Recordings shorter than a window are left out; there must be another one.
    """
    ends = [length - window for length in lengths if length >= window]
    starts = [np.array([*range(0, end, hop), end], dtype=np.float64) for end in ends]
    return part(starts, window, hop, rate, unit)


def _block_size(windows: int, window: int, hop: int, wanted: int) -> int:
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
