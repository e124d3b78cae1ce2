"""Time stamps to seconds: dates in the common ways of writing them, numbers since 1970, or plain seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError
from .cells import Cells
from .dates import COMPACT, FORMS, Dates, MissError
from .numbers import clean, first_failure, text_of
from .quantile import median
from .spool import Spool

# Nanoseconds in some 3000 years.
_MOST = 1e20
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Times(NamedTuple):
    """Seconds (n,) since the first time stamp; `known`: whether the unit is certain.

    It is for dates and for numbers since 1970. Small numbers are taken as seconds.
    """

    seconds: Spool
    known: bool


def parse_times(path: Path, cells: Cells, row_of: Callable[[int], int]) -> Times:
    """Time stamps as seconds since the first.

    One column, of dates, text or numbers, or two: date and time of day. Text: ISO 8601 with or without a
    zone, year, day or month first, 12 or 24 hours, 20240131T235959, a time of day alone. Where both day first
    and month first fit all rows, the one with the more regular steps is taken. Numbers of 10^8 and more are
    time since 1970, in s, ms, us or ns by their size; else they are seconds.

    Ways of writing are tried one after the other, each block by block: one must fit all rows. Raises
    InputError `timestamps` naming the first row that is empty or no time, and ResourceError where there is no
    room for the seconds.
    """
    return _Parser(path, cells, row_of).times()


class _Parser:
    """A whole number in place of a result is the row of the first cell at fault."""

    def __init__(self, path: Path, cells: Cells, row_of: Callable[[int], int]) -> None:
        self._path, self._cells, self._row_of = path, cells, row_of

    def times(self) -> Times:
        first = next(self._blocks(), None)
        if first is None:
            return Times(Spool(self._path, np.float64), False)
        kind = first[1].type
        times = self._text() if pa.types.is_string(kind) else self._typed(kind)
        if isinstance(times, Times):
            return times
        cell = ""
        for begin, cells in self._blocks():  # to the end: an empty cell is told first
            if begin <= times < begin + len(cells):
                cell = text_of(cells[times - begin])
        raise InputError(
            self._path,
            "timestamps",
            f"row {self._row_of(times)}: {cell!r} is no time stamp like the others; write "
            "2024-01-31 23:59:59, set data.time to the right column, or to null if there is none",
        )

    def _blocks(self) -> Iterator[tuple[int, pa.Array]]:
        """First row and cells of every block, date and time of day joined; none is missing."""
        begin = 0
        for columns in self._cells.blocks():
            cells = _joined(columns)
            if cells.null_count:
                row = self._row_of(begin + pc.index(pc.is_null(cells), True).as_py())
                raise InputError(
                    self._path, "timestamps", f"row {row} has no time stamp; fill it in, or remove the row"
                )
            if len(cells):
                yield begin, cells
            begin += len(cells)

    def _typed(self, kind: pa.DataType) -> Times | int:
        types = pa.types
        if types.is_timestamp(kind) or types.is_time(kind) or types.is_duration(kind):
            whole = [pa.int32(), pa.int64()] if types.is_time32(kind) else [pa.int64()]
            return self._stamps(whole, _UNITS[kind.unit])
        if types.is_date(kind):
            return self._stamps([pa.timestamp("ms"), pa.int64()], 1000)
        if types.is_integer(kind):
            return self._numbers(pa.int64(), safe=False)
        if types.is_floating(kind) or types.is_decimal(kind):
            return self._numbers(pa.float64())
        return 0

    def _text(self) -> Times | int:
        compact = self._all(Dates(COMPACT), np.float64)  # before it passes for a number
        if isinstance(compact, Spool):
            return Times(compact, True)
        misses = [compact]
        for kind in (pa.int64(), pa.float64()):
            numbers = self._all(partial(_cast, kinds=[kind]), kind.to_pandas_dtype())
            if isinstance(numbers, Spool):
                return self._scaled(numbers)
            misses[1:] = [numbers]  # what is no float is no whole number either
        for zone in (None, "UTC"):
            stamps = self._stamps([pa.timestamp("ns", zone), pa.int64()], 10**9)
            if isinstance(stamps, Times):
                return stamps
        good = []
        for form in FORMS:
            found = self._all(Dates(form), np.float64)
            if isinstance(found, Spool):
                good.append(found)
            else:
                misses.append(found)
        if good:
            best = min(good, key=_irregular) if len(good) > 1 else good[0]
            for other in good:
                if other is not best:
                    other.close()
            return Times(best, True)
        # The form that gets farthest is the one meant.
        return max(misses)

    def _stamps(self, kinds: list[pa.DataType], per_second: int) -> Times | int:
        """Cells that are whole numbers of a unit of time, once cast to these types in turn."""
        found = self._all(partial(_cast, kinds=kinds), np.int64)
        return Times(self._since_first(found, per_second), True) if isinstance(found, Spool) else found

    def _numbers(self, kind: pa.DataType, *, safe: bool = True) -> Times | int:
        found = self._all(partial(_cast, kinds=[kind], safe=safe), kind.to_pandas_dtype())
        return self._scaled(found) if isinstance(found, Spool) else found

    def _scaled(self, values: Spool) -> Times | int:
        """Numbers by their size."""
        size, begin = 0.0, 0
        for block in values.blocks():
            times = np.abs(block) <= _MOST  # false for NaN too
            if not times.all():
                return begin + int(times.argmin())
            begin += len(block)
            size = max(size, float(np.abs(block.astype(np.float64)).max()))
        return Times(self._since_first(values, per_second(size)), size >= 1e8)

    def _since_first(self, values: Spool, per_second: int) -> Spool:
        """Differences to the first come before the division: floats would lose fractions of large numbers."""
        first = values.read(0, 1)
        seconds = Spool(self._path, np.float64)
        for block in values.blocks():
            seconds.append((block - first).astype(np.float64) / per_second)
        values.close()
        return seconds

    def _all(self, convert: Callable[[pa.Array], NDArray[Any]], dtype: DTypeLike) -> Spool | int:
        """All cells converted, or the row of the first that cannot be."""
        found = Spool(self._path, dtype)
        for begin, cells in self._blocks():
            try:
                found.append(convert(cells))
            except MissError as error:
                found.close()
                return begin + error.index
        return found


def _joined(columns: list[pa.Array]) -> pa.Array:
    cells = columns[0]
    if len(columns) == 2:
        date, clock = (pc.ascii_trim_whitespace(cells.cast(pa.string())) for cells in columns)
        cells = pc.binary_join_element_wise(date, clock, " ")
    text = pa.types.is_large_string(cells.type) or pa.types.is_string(cells.type)
    return clean(cells.cast(pa.string())) if text else cells


def _cast(cells: pa.Array, kinds: list[pa.DataType], *, safe: bool = True) -> NDArray[Any]:
    """Raises MissError."""
    try:
        for kind in kinds:
            cells = pc.cast(cells, kind, safe=safe)
    except pa.ArrowInvalid:
        raise MissError(first_failure(cells, kinds[0])) from None
    return np.asarray(cells.to_numpy(zero_copy_only=False))


def per_second(size: float) -> int:
    """Units in a second of a number that is as large as this: ns, us or ms since 1970, or seconds."""
    return next((10**e for limit, e in ((1e17, 9), (1e14, 6), (1e11, 3)) if size >= limit), 1)


def _irregular(seconds: Spool) -> int:
    """How many distances are not the median one."""
    if seconds.length < 2:
        return 0
    middle = median(lambda: (steps for _, steps in seconds.steps()))
    return sum(int((steps != middle).sum()) for _, steps in seconds.steps())
