"""Rows in even steps of time: what is regular, and what becomes of rows that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .places import Filling
from .quantile import median, running_sum
from .spool import Spool
from .time_order import in_time_order

Policy = Literal["refuse", "sort", "split", "mask"]
Steps = NDArray[np.float64]

# A step is regular within this fraction of the median step, or within the resolution of the time stamps.
JITTER = 0.01
# Filled gaps may make a recording this many times as long; a wrong date must not make it endless.
MOST_GROWTH = 10
# At most this part of the rows may be left out because another one has their place in time.
MOST_LEFT_OUT = 0.1
_RESOLUTIONS = (1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)


class Arrangement(NamedTuple):
    """Rows in even steps.

    Attributes:
        length: number of samples.
        stretches: first and last + 1 sample of every stretch without a gap.
        rate: samples per second, Hz; None for fewer than two rows.
        order: (m,) rows in the order of time, without those that are left out; None for all as they stand.
        places: (m,) the sample that each of them is, the others being masked; None where they are 0 .. m - 1.
        status, detail: as of a Recording: `duplicate_times` where rows were left out.
    """

    length: int
    stretches: list[tuple[int, int]]
    rate: float | None
    order: Spool | None = None
    places: Spool | None = None
    status: str = "ok"
    detail: str = ""


def arrange(path: Path, seconds: Spool, policy: Policy, row_of: Callable[[int], int]) -> Arrangement:
    """Rows with times `seconds` (n,) in even steps.

    The step is the median distance of rows in time. A distance is regular within 1% of it, or within the
    power of ten that the time stamps are rounded to, down from 1 s, but never by half a step. Rates come
    from the mean regular distance, which rounding does not bias, and drift is no fault.

    Where a distance is not regular: `refuse` raises. `sort` puts rows in the order of time, and raises where
    gaps remain or rows have one time. `split` cuts there, unless half of all distances are irregular. `mask`
    sorts, and puts masked samples into gaps, as many as steps are missing, rounded; of rows that fall on one
    step the first is kept, and the status is `duplicate_times`.

    Memory: a block, and the stretches. Raises InputError `timestamps` or `duplicate_times` with the first row
    at fault.
    """
    n = seconds.length
    if n < 2:
        return Arrangement(n, [(0, n)], None)
    order = None
    if policy in ("sort", "mask") and any((steps < 0).any() for _, steps in seconds.steps()):
        seconds, order = in_time_order(path, seconds)
    found = _Steps(path, seconds, row_of)
    if not found.irregular:
        return Arrangement(n, [(0, n)], found.rate, order)
    if policy == "split":
        if 2 * found.irregular <= n - 1:
            cuts = [0, *(index + 1 for index in found.cuts()), n]
            return Arrangement(n, list(pairwise(cuts)), found.rate)
    elif policy == "mask":
        return _filled(path, seconds, order, 1.0 / found.rate, row_of)
    raise _fault(path, found, order, policy, row_of)


class _Steps:
    """Distances of rows in time, and which of them are regular.

    Attributes:
        step: the median of those ahead, seconds.
        irregular: how many are not regular, and `first` the index of the first of them.
    """

    def __init__(self, path: Path, seconds: Spool, row_of: Callable[[int], int]) -> None:
        self.seconds = seconds
        moving = ahead = False
        resolutions = list(_RESOLUTIONS)
        for _, steps in seconds.steps():
            ahead |= bool((steps > 0).any())
            moving |= bool(steps.any())
        if not ahead:
            raise InputError(
                path,
                "timestamps" if moving else "duplicate_times",
                f"row {row_of(1)} is not later than row {row_of(0)}, nor is any row than the one before; set "
                "data.time to the right column, or to null if there is none",
            )
        self.step = median(lambda: (steps[steps > 0] for _, steps in seconds.steps()))
        if self.step < 1e-9:
            raise InputError(
                path,
                "timestamps",
                f"rows are {self.step:.1g} s apart, less than a nanosecond; set data.time to the right "
                "column, or to null if there is none",
            )
        for block in seconds.blocks():
            resolutions = [r for r in resolutions if r < self.step / 2 and _lies_on(block, r)]
        rounding = resolutions[0] * 1.001 if resolutions else 0.0
        self.tolerance = min(max(JITTER * self.step, rounding), 0.499 * self.step)
        self.irregular, self.first = 0, -1
        even = every = 0.0
        for begin, steps in seconds.steps():
            regular = self.regular(steps)
            if self.first < 0 and not regular.all():
                self.first = begin + int(regular.argmin())
            self.irregular += int((~regular).sum())
            even, every = running_sum(even, steps[regular]), running_sum(every, steps)
        count = seconds.length - 1
        good = count - self.irregular
        # Of all where none is regular.
        self._mean = even / good if good else every / count

    @property
    def rate(self) -> float:
        """Hz, from the mean of the regular ones."""
        return _rate(self._mean)

    def regular(self, steps: Steps) -> NDArray[np.bool_]:
        """Which of these are regular."""
        return np.asarray(np.abs(steps - self.step) <= self.tolerance)

    def cuts(self) -> Iterator[int]:
        """Indices of those that are not."""
        for begin, steps in self.seconds.steps():
            yield from (begin + np.flatnonzero(~self.regular(steps))).tolist()


def _lies_on(seconds: NDArray[np.float64], resolution: float) -> bool:
    scaled = seconds / resolution
    return bool((np.abs(scaled - np.rint(scaled)) < 1e-3).all())


def _rate(step: float) -> float:
    """Hz. Whole numbers of hertz or of seconds are meant where all but reached."""
    rate = 1.0 / step
    if round(rate) and abs(rate - round(rate)) <= 1e-6 * rate:
        return float(round(rate))
    if round(step) and abs(step - round(step)) <= 1e-6 * step:
        return 1.0 / round(step)
    return rate


def _filled(
    path: Path, seconds: Spool, order: Spool | None, step: float, row_of: Callable[[int], int]
) -> Arrangement:
    n = seconds.length
    filling = Filling(path, seconds, order, step, most=MOST_GROWTH * n)
    detail = ""
    if filling.left:
        row = row_of(filling.first_left)
        if filling.left > MOST_LEFT_OUT * n:
            raise InputError(
                path,
                "duplicate_times" if filling.twice else "timestamps",
                f"row {row} and {filling.left - 1} more fall on the same step of {_span(step)} as another "
                "row; resample the series, or set data.time: null and data.rate",
            )
        detail = f"rows on the step of another one are left out, {filling.left} in all, row {row} first"
    if filling.length > MOST_GROWTH * n:
        raise InputError(
            path,
            "timestamps",
            f"row {row_of(filling.after_widest)} comes {_span(filling.widest * step)} after the one before; "
            f"with all gaps filled there would be {filling.length:.0f} samples instead of {n}; correct the "
            "time, or set data.irregular: split",
        )
    length = int(filling.length)
    return Arrangement(
        length,
        [(0, length)],
        _rate(step),
        filling.order,
        filling.places,
        "duplicate_times" if detail else "ok",
        detail,
    )


def _fault(
    path: Path, found: _Steps, order: Spool | None, policy: Policy, row_of: Callable[[int], int]
) -> InputError:
    index, step = found.first, found.step
    pair = found.seconds.read(index, 2)
    width = float(pair[1] - pair[0])
    before, after = (index, index + 1) if order is None else order.read(index, 2).tolist()
    row, other = row_of(after), row_of(before)
    if width == 0:
        return InputError(
            path,
            "duplicate_times",
            f"row {row} has the time of row {other}; remove one of them, or set data.irregular: mask",
        )
    if width < 0:
        what = f"row {row} lies {_span(-width)} before row {other}"
    elif width > 1.5 * step:
        what = f"row {row} comes {_span(width)} after row {other}, where the step is {_span(step)}"
    else:
        what = (
            f"row {row} comes {_span(width)} after row {other}, an uneven step: the median is {_span(step)}"
        )
    if step <= 1800.0 and abs(abs(width - step) - 3600.0) <= JITTER * step:
        what += " (one hour: daylight saving? Write the times in UTC)"
    choices = {
        "refuse": "correct it, or set data.irregular to sort, split or mask",
        "sort": "sorting does not help: correct it, or set data.irregular to split or mask",
        "split": "and most others are as uneven; resample the series, or set data.time: null and data.rate",
    }
    return InputError(path, "timestamps", f"{what}; {choices[policy]}")


def _span(seconds: float) -> str:
    for name, size in (("days", 86400.0), ("h", 3600.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.4g} {name}"
    return f"{seconds:.6g} s"
