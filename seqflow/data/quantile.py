"""The median of more numbers than fit memory, exactly, and sums that do not depend on how they are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bits = NDArray[np.uint64]

_SIGN = np.uint64(1 << 63)
_DIGIT = 16


def median(blocks: Callable[[], Iterable[Floats]]) -> float:
    """The median of all numbers, as numpy has it; `blocks` gives them anew, block by block, at every call.

    There must be one, and none that is NaN. Five passes at most: one for each quarter of the bits of the
    number in the middle, and one for the number after it. Memory: a block.
    """
    prefix, rank, count = np.uint64(0), 0, 0
    for level in range(4):
        shift = np.uint64(64 - _DIGIT * (level + 1))
        digits = np.zeros(1 << _DIGIT, np.int64)
        for block in blocks():
            bits = _ordered(block)
            if level:
                bits = bits[bits >> shift >> np.uint64(_DIGIT) == prefix]
            digit = (bits >> shift) & np.uint64((1 << _DIGIT) - 1)
            digits += np.bincount(digit.astype(np.int64), minlength=len(digits))
        if level == 0:
            count = int(digits.sum())
            rank = (count - 1) // 2
        before = np.cumsum(digits)
        found = int(np.searchsorted(before, rank, side="right"))
        left = int(before[found]) - rank
        rank -= int(before[found] - digits[found])
        prefix = np.uint64((int(prefix) << _DIGIT) | found)
    low = _number(prefix)
    # `left` counts the numbers equal to the lower middle from it on.
    if count % 2 or left > 1:
        return low
    above = [after.min() for block in blocks() if len(after := block[_ordered(block) > prefix])]
    return 0.5 * (low + float(min(above)))


def running_sum(total: float, numbers: Floats) -> float:
    """The total with these added one by one, so that its rounding does not depend on where blocks end."""
    return float(np.cumsum(np.concatenate([[total], numbers]))[-1])


def _ordered(numbers: Floats) -> Bits:
    """Whole numbers in the order of the floats."""
    bits = np.ascontiguousarray(numbers, np.float64).view(np.uint64)
    return np.asarray(np.where(bits & _SIGN, ~bits, bits | _SIGN))


def _number(bits: np.uint64) -> float:
    back = bits ^ _SIGN if bits & _SIGN else ~bits
    return float(np.array([back], np.uint64).view(np.float64)[0])
