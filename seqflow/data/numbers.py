"""Cells of text to numbers: what counts as a number, what as missing, and which cell is at fault."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Decimal = Literal[".", ","]

# What loggers, spreadsheets and languages write for a value that is not there; case does not matter.
MISSING = ("", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "-", "--", "?")
_NUMBER = r"^[+-]?((\d+{0}?\d*|{0}\d+)([eE][+-]?\d+)?|inf|infinity|Inf|Infinity)$"
_PATTERN = {".": _NUMBER.format(r"\."), ",": _NUMBER.format(",")}
# 1,234.5 or 1,234,567; not 1,234, which may be a number with the other decimal mark.
_MARKED = r"^[+-]?\d{{1,3}}(({1}\d{{3}})+{0}\d*|({1}\d{{3}}){{2,}})$"
_THOUSANDS = {".": _MARKED.format(r"\.", ","), ",": _MARKED.format(",", r"\.")}


class NotANumberError(ValueError):
    """A cell is neither a number nor missing: its index, and its text, shortened."""

    def __init__(self, index: int, cell: str) -> None:
        super().__init__(f"{cell!r} is not a number")
        self.index = index
        self.cell = cell


def clean(cells: pa.Array) -> pa.Array:
    """The cells without spaces around them; null where they say that there is no value."""
    cells = pc.ascii_trim_whitespace(cells)
    missing = pc.is_in(pc.ascii_lower(cells), value_set=pa.array(MISSING))
    return pc.if_else(missing, pa.scalar(None, pa.string()), cells)


def numbers(cells: pa.Array, decimal: Decimal = ".") -> NDArray[np.float64]:
    """Text cells (n,) as float64 (n,), NaN where missing; `inf` is a number here. Raises NotANumberError."""
    if decimal == ".":
        try:
            return _to_numpy(pc.cast(cells, pa.float64()))
        except pa.ArrowInvalid:
            pass  # missing values, spaces, or a cell that is no number
    cells = clean(cells)
    if decimal == ",":
        # A point would be a mark of thousands, or the other decimal mark: not to be guessed.
        points = pc.index(pc.fill_null(pc.match_substring(cells, "."), False), True).as_py()
        if points >= 0:
            raise NotANumberError(points, text_of(cells[points]))
        cells = pc.replace_substring(cells, ",", ".", max_replacements=1)
    try:
        return _to_numpy(pc.cast(cells, pa.float64()))
    except pa.ArrowInvalid:
        index = first_failure(cells, pa.float64())
        cell = text_of(cells[index])
        raise NotANumberError(index, cell.replace(".", ",", 1) if decimal == "," else cell) from None


def votes(cells: pa.Array, decimal: Decimal = ".") -> tuple[int, int]:
    """How many cells are numbers, and how many hold anything at all."""
    cells = clean(cells)
    good = pc.sum(pc.match_substring_regex(cells, _PATTERN[decimal])).as_py() or 0
    return int(good), len(cells) - cells.null_count


def with_thousands(cells: pa.Array, decimal: Decimal = ".") -> int:
    """How many cells are numbers but for their marks of thousands."""
    return int(pc.sum(pc.match_substring_regex(clean(cells), _THOUSANDS[decimal])).as_py() or 0)


def looks_like_number(cell: str, decimal: Decimal = ".") -> bool:
    """Whether one cell is a number or missing."""
    good, present = votes(pa.array([cell]), decimal)
    return good == present


def first_failure(cells: pa.Array, kind: pa.DataType) -> int:
    """Index of the first cell that cannot be cast to this type; there must be one."""
    low, high = 0, len(cells)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            pc.cast(cells[low:middle], kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def text_of(cell: Any) -> str:
    """The text of a cell on one line, at most 40 characters, whatever its bytes are."""
    raw = cell.cast(pa.binary()).as_py() if pa.types.is_string(cell.type) else str(cell.as_py()).encode()
    text = " ".join((raw or b"")[:200].decode("utf-8", "replace").split())
    return text if len(text) <= 40 else text[:37] + "..."


def _to_numpy(cells: pa.Array) -> NDArray[np.float64]:
    return np.asarray(cells.to_numpy(zero_copy_only=False), dtype=np.float64)
