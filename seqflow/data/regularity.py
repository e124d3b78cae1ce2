"""Rows in even steps of time: what is regular, and what becomes of rows that are not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .timestamps import Seconds

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
        order: the row of every sample, -1 for a masked one; None where rows are samples as they stand.
        stretches: first and last + 1 sample of every stretch without a gap.
        rate: samples per second, Hz; None for fewer than two rows.
        status, detail: as of a Recording: `duplicate_times` where rows were left out.
    """

    order: NDArray[np.int64] | None
    stretches: list[tuple[int, int]]
    rate: float | None
    status: str = "ok"
    detail: str = ""


def arrange(path: Path, seconds: Seconds, policy: Policy, row_of: Callable[[int], int]) -> Arrangement:
    """Rows with times `seconds` (n,) in even steps.

    The step is the median distance of rows in time. A distance is regular within 1% of it, or within the
    power of ten that the time stamps are rounded to, down from 1 s, but never by half a step. Rates come
    from the mean regular distance, which rounding does not bias, and drift is no fault.

    Where a distance is not regular: `refuse` raises. `sort` puts rows in the order of time, and raises where
    gaps remain or rows have one time. `split` cuts there, unless half of all distances are irregular. `mask`
    sorts, and puts masked samples into gaps, as many as steps are missing, rounded; of rows that fall on one
    step the first is kept, and the status is `duplicate_times`.

    Raises InputError `timestamps` or `duplicate_times` with the first row at fault.
    """
    n = len(seconds)
    if n < 2:
        return Arrangement(None, [(0, n)], None)
    steps = np.diff(seconds)
    order = None
    if policy in ("sort", "mask") and (steps < 0).any():
        order = np.argsort(seconds, kind="stable").astype(np.int64)
        seconds = seconds[order]
        steps = np.diff(seconds)
    step = _median_step(path, steps, row_of)
    regular = _regular(seconds, steps, step)
    if regular.all():
        return Arrangement(order, [(0, n)], _rate(steps))
    if policy == "split":
        if 2 * regular.sum() >= len(steps):
            cuts = [0, *(np.flatnonzero(~regular) + 1).tolist(), n]
            return Arrangement(None, list(pairwise(cuts)), _rate(steps[regular]))
    elif policy == "mask":
        return _filled(path, seconds, order, 1.0 / _rate(steps[regular] if regular.any() else steps), row_of)
    raise _fault(path, steps, step, int(regular.argmin()), order, policy, row_of)


def _median_step(path: Path, steps: Steps, row_of: Callable[[int], int]) -> float:
    ahead = steps[steps > 0]
    if not len(ahead):
        raise InputError(
            path,
            "duplicate_times" if not steps.any() else "timestamps",
            f"row {row_of(1)} is not later than row {row_of(0)}, nor is any row than the one before; set "
            "data.time to the right column, or to null if there is none",
        )
    step = float(np.median(ahead))
    if step < 1e-9:
        raise InputError(
            path,
            "timestamps",
            f"rows are {step:.1g} s apart, less than a nanosecond; set data.time to the right column, or to "
            "null if there is none",
        )
    return step


def _regular(seconds: Seconds, steps: Steps, step: float) -> NDArray[np.bool_]:
    fitting = (r for r in _RESOLUTIONS if r < step / 2 and _lies_on(seconds, r))
    return np.asarray(
        np.abs(steps - step) <= min(max(JITTER * step, next(fitting, 0.0) * 1.001), 0.499 * step)
    )


def _lies_on(seconds: Seconds, resolution: float) -> bool:
    scaled = seconds / resolution
    return bool((np.abs(scaled - np.rint(scaled)) < 1e-3).all())


def _rate(steps: Steps) -> float:
    """Hz. Whole numbers of hertz or of seconds are meant where all but reached."""
    step = float(steps.mean())
    rate = 1.0 / step
    if round(rate) and abs(rate - round(rate)) <= 1e-6 * rate:
        return float(round(rate))
    if round(step) and abs(step - round(step)) <= 1e-6 * step:
        return 1.0 / round(step)
    return rate


def _filled(
    path: Path, seconds: Seconds, order: NDArray[np.int64] | None, step: float, row_of: Callable[[int], int]
) -> Arrangement:
    n = len(seconds)
    rows = np.arange(n) if order is None else order
    counts = np.rint(np.diff(seconds) / step)
    kept = np.ones(n, dtype=np.bool_)
    detail = ""
    if (counts == 0).any():
        kept = _one_per_step(seconds, step)
        left = rows[~kept]
        row = row_of(int(left.min()))
        if len(left) > MOST_LEFT_OUT * n:
            raise InputError(
                path,
                "duplicate_times" if len(np.unique(seconds)) < n else "timestamps",
                f"row {row} and {len(left) - 1} more fall on the same step of {_span(step)} as another row; "
                "resample the series, or set data.time: null and data.rate",
            )
        detail = f"rows on the step of another one are left out, {len(left)} in all, row {row} first"
        rows = rows[kept]
        counts = np.rint(np.diff(seconds[kept]) / step)
    if counts.sum() + 1 > MOST_GROWTH * n:
        widest = int(counts.argmax())
        raise InputError(
            path,
            "timestamps",
            f"row {row_of(int(rows[widest + 1]))} comes {_span(counts[widest] * step)} after the one before; "
            f"with all gaps filled there would be {counts.sum() + 1:.0f} samples instead of {n}; correct the "
            "time, or set data.irregular: split",
        )
    place = np.concatenate([[0], np.cumsum(counts.astype(np.int64))])
    filled = np.full(int(place[-1]) + 1, -1, dtype=np.int64)
    filled[place] = rows
    rate = _rate(np.array([step]))
    return Arrangement(filled, [(0, len(filled))], rate, "duplicate_times" if detail else "ok", detail)


def _one_per_step(seconds: Seconds, step: float) -> NDArray[np.bool_]:
    """Rows in order, without those less than half a step after the last one kept."""
    kept = np.zeros(len(seconds), dtype=np.bool_)
    last = -np.inf
    for i, time in enumerate(seconds.tolist()):
        # As round half to even does for the counts: half a step is no step.
        if time - last > 0.5 * step:
            kept[i], last = True, time
    return kept


def _fault(
    path: Path,
    steps: Steps,
    step: float,
    index: int,
    order: NDArray[np.int64] | None,
    policy: Policy,
    row_of: Callable[[int], int],
) -> InputError:
    before, after = (index, index + 1) if order is None else (int(order[index]), int(order[index + 1]))
    width = float(steps[index])
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
