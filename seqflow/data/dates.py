"""Text dates to seconds: the common ways of writing them."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .numbers import text_of

_CLOCK = (
    r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<p>[AaPp][Mm])?"
    r"\s*(?P<z>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_YEAR_FIRST = r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
_MONTH_FIRST = r"^(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4}|\d{2})"
_DAY_FIRST = r"^(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4}|\d{2})"
COMPACT = (
    r"^(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)T?"
    r"(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})(?P<f>)(?P<p>)(?P<z>Z?)$"
)
FORMS = (
    *(f"{date}(?:,?[T ]+{_CLOCK})?$" for date in (_YEAR_FIRST, _DAY_FIRST, _MONTH_FIRST)),
    COMPACT,
    f"^(?P<y>)(?P<m>)(?P<d>){_CLOCK}$",
)


class MissError(Exception):
    """A cell is no time in the way of writing that is tried: its index in the block."""

    def __init__(self, index: int) -> None:
        self.index = index


class Dates:
    """Text dates in one form, block by block, as seconds since the very first."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._first: tuple[int, int] | None = None

    def __call__(self, cells: pa.Array) -> NDArray[np.float64]:
        """Raises MissError."""
        if not re.match(self._form, text_of(cells[0])):
            raise MissError(0)
        parts = pc.extract_regex(cells, self._form)
        fitting = len(cells)
        if parts.null_count:
            fitting = int(pc.index(pc.is_null(parts), True).as_py())
            parts = parts[:fitting]
        y, m, d, hour, minute, second = (_integers(parts, name) for name in "ymdHMS")
        timed = pc.equal(pc.struct_field(parts, "y"), "").to_numpy(zero_copy_only=False)
        y, m, d = (np.where(timed, other, given) for given, other in ((y, 1970), (m, 1), (d, 1)))
        months = (np.where(y < 100, y + 2000, y) - 1970) * 12 + m - 1
        first, after = (_days(months), _days(months + 1))
        half = pc.ascii_lower(pc.struct_field(parts, "p")).to_numpy(zero_copy_only=False)
        good = (m >= 1) & (m <= 12) & (d >= 1) & (first + d <= after)
        good &= (hour < 24) & (minute < 60) & (second <= 60)
        good &= (half == "") | ((hour >= 1) & (hour <= 12))
        if not good.all() or fitting < len(cells):
            raise MissError(fitting if good.all() else int(good.argmin()))
        hour = np.where(half == "", hour, hour % 12 + np.where(half == "pm", 12, 0))
        whole = (first + d - 1) * 86400 + hour * 3600 + minute * 60 + second - _offsets(parts)
        fraction = _integers(parts, "f", width=9)
        if self._first is None:
            self._first = int(whole[0]), int(fraction[0])
        begin, part = self._first
        return np.asarray((whole - begin).astype(np.float64) + (fraction - part) * 1e-9)


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


def _int64(cells: pa.Array) -> NDArray[np.int64]:
    return np.asarray(cells.to_numpy(zero_copy_only=False), dtype=np.int64)
