"""Time stamps to seconds: dates in the common ways of writing them, numbers since 1970, or plain seconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..errors import InputError
from .numbers import clean, first_failure, text_of

Seconds = NDArray[np.float64]

_CLOCK = (
    r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<p>[AaPp][Mm])?"
    r"\s*(?P<z>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_YEAR_FIRST = r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
_MONTH_FIRST = r"^(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4}|\d{2})"
_DAY_FIRST = r"^(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4}|\d{2})"
_COMPACT = (
    r"^(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)T?"
    r"(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})(?P<f>)(?P<p>)(?P<z>Z?)$"
)
_FORMS = (
    *(f"{date}(?:,?[T ]+{_CLOCK})?$" for date in (_YEAR_FIRST, _DAY_FIRST, _MONTH_FIRST)),
    _COMPACT,
    f"^(?P<y>)(?P<m>)(?P<d>){_CLOCK}$",
)
# Nanoseconds in some 3000 years.
_MOST = 1e20
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Times(NamedTuple):
    """Seconds (n,) since the first time stamp; `known`: whether the unit is certain.

    It is for dates and for numbers since 1970. Small numbers are taken as seconds.
    """

    seconds: Seconds
    known: bool


def parse_times(path: Path, columns: list[pa.ChunkedArray], row_of: Callable[[int], int]) -> Times:
    """Time stamps as seconds since the first.

    One column, of dates, text or numbers, or two of text: date and time of day. Text: ISO 8601 with or
    without a zone, year, day or month first, 12 or 24 hours, 20240131T235959, a time of day alone. Where both
    day first and month first fit all rows, the one with the more regular steps is taken. Numbers of 10^8 and
    more are time since 1970, in s, ms, us or ns by their size; else they are seconds.

    Raises InputError `timestamps` naming the first row that is empty or no time.
    """
    arrays = [_one(column) for column in columns]
    cells = arrays[0]
    if len(arrays) == 2:
        date, clock = (pc.ascii_trim_whitespace(array) for array in arrays)
        cells = pc.binary_join_element_wise(date, clock, " ")
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_large_string(cells.type) or pa.types.is_string(cells.type):
        cells = clean(cells.cast(pa.string()))
    if cells.null_count:
        row = row_of(pc.index(pc.is_null(cells), True).as_py())
        raise InputError(path, "timestamps", f"row {row} has no time stamp; fill it in, or remove the row")
    if not len(cells):
        return Times(np.zeros(0), False)
    times = _text(cells) if pa.types.is_string(cells.type) else _typed(cells)
    if isinstance(times, int):
        raise InputError(
            path,
            "timestamps",
            f"row {row_of(times)}: {text_of(cells[times])!r} is no time stamp like the others; write "
            "2024-01-31 23:59:59, set data.time to the right column, or to null if there is none",
        )
    return times


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


# Below, a whole number in place of a result is the index of the first cell at fault.


def _typed(cells: pa.Array) -> Times | int:
    kind = cells.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        if pa.types.is_time32(kind):
            cells = cells.cast(pa.int32())
        return Times(_since_first(_int64(cells.cast(pa.int64())), _UNITS[kind.unit]), True)
    if pa.types.is_date(kind):
        return Times(_since_first(_int64(cells.cast(pa.timestamp("ms")).cast(pa.int64())), 1000), True)
    if pa.types.is_integer(kind):
        return _numbers(_int64(cells.cast(pa.int64(), safe=False)))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numbers(np.asarray(cells.cast(pa.float64()).to_numpy(zero_copy_only=False)))
    return 0


def _text(cells: pa.Array) -> Times | int:
    compact = _dates(cells, _COMPACT)  # before it passes for a number
    if not isinstance(compact, int):
        return Times(compact, True)
    for kind in (pa.int64(), pa.float64()):
        try:
            return _numbers(np.asarray(pc.cast(cells, kind).to_numpy(zero_copy_only=False)))
        except pa.ArrowInvalid:
            continue
    for zone in (None, "UTC"):
        try:
            stamps = pc.cast(cells, pa.timestamp("ns", zone)).cast(pa.int64())
            return Times(_since_first(_int64(stamps), 10**9), True)
        except pa.ArrowInvalid:
            continue
    found = [_dates(cells, form) for form in _FORMS]
    good = [seconds for seconds in found if not isinstance(seconds, int)]
    if good:
        return Times(min(good, key=_irregular), True)
    # The form that gets farthest is the one meant.
    misses = [miss for miss in found if isinstance(miss, int)]
    return max(*misses, compact, first_failure(cells, pa.float64()))


def _numbers(values: NDArray[Any]) -> Times | int:
    times = np.abs(values) <= _MOST  # false for NaN too
    if not times.all():
        return int(times.argmin())
    size = float(np.abs(values.astype(np.float64)).max())
    return Times(_since_first(values, per_second(size)), size >= 1e8)


def per_second(size: float) -> int:
    """Units in a second of a number that is as large as this: ns, us or ms since 1970, or seconds."""
    return next((10**e for limit, e in ((1e17, 9), (1e14, 6), (1e11, 3)) if size >= limit), 1)


def _since_first(values: NDArray[Any], per_second: int) -> Seconds:
    """Differences to the first come before the division: floats would lose the fractions of large numbers."""
    return np.asarray((values - values[0]).astype(np.float64) / per_second)


def _dates(cells: pa.Array, form: str) -> Seconds | int:
    """Seconds of text dates in one form, since the first of them."""
    if not re.match(form, text_of(cells[0])):
        return 0
    parts = pc.extract_regex(cells, form)
    if parts.null_count:
        return int(pc.index(pc.is_null(parts), True).as_py())
    y, m, d, hour, minute, second = (_integers(parts, name) for name in "ymdHMS")
    if pc.struct_field(parts, "y")[0].as_py() == "":  # a time of day alone
        y, m, d = np.full_like(y, 1970), np.ones_like(m), np.ones_like(d)
    months = (np.where(y < 100, y + 2000, y) - 1970) * 12 + m - 1
    first, after = (_days(months), _days(months + 1))
    half = pc.ascii_lower(pc.struct_field(parts, "p")).to_numpy(zero_copy_only=False)
    good = (m >= 1) & (m <= 12) & (d >= 1) & (first + d <= after)
    good &= (hour < 24) & (minute < 60) & (second <= 60)
    good &= (half == "") | ((hour >= 1) & (hour <= 12))
    if not good.all():
        return int(good.argmin())
    hour = np.where(half == "", hour, hour % 12 + np.where(half == "pm", 12, 0))
    whole = (first + d - 1) * 86400 + hour * 3600 + minute * 60 + second - _offsets(parts)
    fraction = _integers(parts, "f", width=9)
    return np.asarray((whole - whole[0]).astype(np.float64) + (fraction - fraction[0]) * 1e-9)


def _days(months: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days from 1970 to the first of a month, counted from January 1970."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _integers(parts: pa.Array, name: str, width: int = 1) -> NDArray[np.int64]:
    digits = pc.utf8_rpad(pc.struct_field(parts, name), width, "0")
    return _int64(pc.cast(digits, pa.int64()))


def _offsets(parts: pa.Array) -> NDArray[np.int64]:
    """Seconds that the zones are ahead of UTC."""
    zone = pc.replace_substring(pc.struct_field(parts, "z"), ":", "")
    signed = pc.match_substring_regex(zone, r"^[+-]")
    number = _int64(pc.cast(pc.replace_substring(pc.if_else(signed, zone, "0"), "+", ""), pa.int64()))
    hours, minutes = np.divmod(np.abs(number), 100)
    return np.asarray(np.sign(number) * (hours * 3600 + minutes * 60))


def _irregular(seconds: Seconds) -> int:
    steps = np.diff(seconds)
    return int((steps != np.median(steps)).sum()) if len(steps) else 0


def _int64(cells: pa.Array) -> NDArray[np.int64]:
    return np.asarray(cells.to_numpy(zero_copy_only=False), dtype=np.int64)
