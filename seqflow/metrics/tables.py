"""Tables of the TSB-AD benchmark: published values of methods for each series, and the windows to judge with.

Both are CSV with a header and one row a series, whose name is in the column `file`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError

SERIES, LENGTH, WINDOW = "file", "ts_len", "window"


def read_published(path: str | Path) -> dict[str, dict[str, float]]:
    """Value of every method for every series: {series: {method: value}}, in the order of the file.

    Columns: `file`, one of each method, then from `ts_len` on what describes the series, which is left out.
    An empty cell is a value that was not published, left out too. Raises InputError: unreadable, empty,
    missing_column, ragged, duplicate_series, not_numeric.
    """
    header, rows = _read(path, (SERIES, LENGTH))
    methods = [name for name in header[: header.index(LENGTH)] if name != SERIES]
    if not methods:
        raise InputError(path, "missing_column", f"no method before the column {LENGTH}")
    return {
        name: {method: _number(path, name, method, row[method]) for method in methods if row[method].strip()}
        for name, row in rows.items()
    }


def read_windows(path: str | Path) -> dict[str, int]:
    """Longest buffer window of every series, in points: {series: window}. Raises InputError as
    `read_published` does."""
    _, rows = _read(path, (SERIES, WINDOW))
    found = {}
    for name, row in rows.items():
        value = _number(path, name, WINDOW, row[WINDOW])
        if value < 0 or value != int(value):
            raise InputError(
                path, "not_numeric", f"{name}: {WINDOW}: {row[WINDOW]!r} is no whole number of points"
            )
        found[name] = int(value)
    return found


def _read(path: str | Path, needed: tuple[str, ...]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Header, and the cells of every series by column."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            lines = list(_lines(file.read()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "not a CSV file in UTF-8"
        raise InputError(path, "unreadable", f"{reason}; give a table of TSB-AD") from error
    if len(lines) < 2:
        raise InputError(path, "empty", "no row below the header; give a table of TSB-AD")
    header = [cell.strip() for cell in lines[0][1]]
    for column in needed:
        if column not in header:
            raise InputError(path, "missing_column", f"no column {column} in the header")
    rows: dict[str, dict[str, str]] = {}
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise InputError(
                path, "ragged", f"line {number} has {len(cells)} cells, the header {len(header)}"
            )
        row = dict(zip(header, cells, strict=True))
        name = row[SERIES].strip()
        if name in rows:
            raise InputError(path, "duplicate_series", f"line {number}: {name} is there twice")
        rows[name] = row
    return header, rows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the number of its line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for cells in reader:
        if cells:
            yield reader.line_num, cells


def _number(path: str | Path, name: str, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(path, "not_numeric", f"{name}: {column}: {text!r} is no number")
    return value
