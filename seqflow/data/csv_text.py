"""The form of a CSV file, found in its first lines: encoding, delimiter, header; and rows by their line.

pyarrow reads the numbers. What it does not tell, namely where the data begin and on which line of the file
something stands, Python's csv module does.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .numbers import Decimal, looks_like_number
from .regular import unreadable

_HEAD = 1 << 18
_DATE = re.compile(r"^(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2})")


@dataclass(frozen=True)
class Form:
    """How a CSV file is written.

    Attributes:
        encoding: of its text. What is no UTF-8 is taken as Latin-1: no number depends on it.
        delimiter: between the cells.
        names: of the columns, spaces around them removed; their numbers where there is no header.
        named: whether there is a header.
        skip: lines before the data: the header, and remarks that begin with `#`.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    named: bool
    skip: int


def form_of(path: Path, decimal: Decimal) -> Form:
    """The form of a CSV file. Raises InputError: `unreadable`, `corrupt` (no text), `empty`."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            encoding = _encoding(path, head, file)
    except OSError as error:
        raise unreadable(path, error) from None
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    lines = list(io.StringIO(text, newline=""))
    if len(head) == _HEAD and len(lines) > 1:
        lines.pop()  # cut somewhere
    remarks = 0
    while remarks < len(lines) and (not lines[remarks].strip() or lines[remarks].startswith("#")):
        remarks += 1
    text = "".join(lines[remarks:])
    delimiter = delimiter_of(text, decimal)
    rows, begins = _first_rows(text, delimiter)
    if not rows:
        raise InputError(path, "empty", "has no rows; leave it out")
    named = _is_header(rows, decimal)
    names = tuple(name.strip() for name in rows[0]) if named else tuple(map(str, range(len(rows[0]))))
    return Form(encoding, delimiter, names, named, remarks + (begins if named else 0))


def rows_of(path: Path, form: Form, *, blank: bool) -> Iterator[tuple[int, list[str]]]:
    """Line, from 1, and cells of every row of data. `blank`: empty lines are rows as well."""
    with path.open(encoding=form.encoding, errors="replace", newline="") as file:
        reader = csv.reader(_without_nul(file), delimiter=form.delimiter)
        before = 0
        try:
            for cells in reader:
                line, before = before + 1, reader.line_num
                if line > form.skip and (blank or "".join(cells).strip() or len(cells) > 1):
                    yield line, cells
        except csv.Error:
            return


def line_of(path: Path, form: Form, index: int, *, blank: bool) -> int:
    """Line, from 1, on which a row of data begins, given its index."""
    for found, (line, _) in enumerate(rows_of(path, form, blank=blank)):
        if found == index:
            return line
    return form.skip + index + 1


def blank_lines_at_end(path: Path) -> int:
    """Number of empty lines after the last line that is none, at most some thousands."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - (1 << 14)))
        end = re.search(rb"[\r\n]*\Z", file.read().replace(b"\0", b""))
    return max(0, len(re.findall(rb"\r\n|\r|\n", end[0])) - 1) if end else 0


def ends_in_line_break(path: Path) -> bool:
    """Whether the last line is whole, as far as can be told."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, io.SEEK_END) - 4))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))


def _encoding(path: Path, head: bytes, rest: BinaryIO) -> str:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise InputError(path, "corrupt", "is UTF-32 text; save it as UTF-8")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise InputError(path, "corrupt", "holds zero bytes and is no text; save the table as UTF-8 CSV")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # All of the file: a remark in another encoding may come late.
        while head:
            decoder.decode(head)
            head = rest.read(1 << 20)
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "latin-1"


def delimiter_of(text: str, decimal: Decimal) -> str:
    """The first mark that cuts all first rows into as many cells, two or more; else the most of one row."""
    marks = ";\t," if decimal == "." else ";\t"
    most = {}
    for mark in marks:
        rows, _ = _first_rows(text, mark)
        sizes = [len(row) for row in rows]
        if sizes and sizes[0] > 1 and len(set(sizes)) == 1:
            return mark
        most[mark] = max(sizes, default=0)
    return max(reversed(marks), key=lambda mark: most[mark])


def _first_rows(text: str, delimiter: str, most: int = 20) -> tuple[list[list[str]], int]:
    """The first rows with their cells, and the number of lines that the very first one takes."""
    reader = csv.reader(_without_nul(io.StringIO(text, newline="")), delimiter=delimiter)
    rows: list[list[str]] = []
    begins = 0
    try:
        for row in reader:
            if row:
                begins = begins or reader.line_num
                rows.append(row)
            if len(rows) == most:
                break
    except csv.Error:
        pass  # a cell longer than any number: the rows before it tell enough
    return rows, begins


def _is_header(rows: list[list[str]], decimal: Decimal) -> bool:
    """Whether the first row holds names.

    It does not where all its cells are numbers, dates or empty, nor where the second row has numbers and
    texts in the same places. Numbers that only count the columns, 0, 1, 2 and so on, are names.
    """
    first = [cell.strip() for cell in rows[0]]
    second = [cell.strip() for cell in rows[1]] if len(rows) > 1 else []
    kinds = [is_value(cell, decimal) for cell in first]
    if first[0] == "":  # above a column of row numbers
        first.pop(0)
    counting = [cell == str(i) for i, cell in enumerate(first)]
    if all(kinds):
        fractions = any(decimal in cell for cell in second)
        return all(counting) and (len(first) > 2 or (len(first) == 2 and fractions))
    digits = [count for count, cell in zip(counting, first, strict=True) if cell and is_value(cell, decimal)]
    return all(digits) or kinds != [is_value(cell, decimal) for cell in second]


def is_value(cell: str, decimal: Decimal) -> bool:
    """Whether a cell is a number, a date, or empty: none of which is the name of a column."""
    return looks_like_number(cell, decimal) or bool(_DATE.match(cell))


def _without_nul(lines: Iterator[str] | io.TextIOBase) -> Iterator[str]:
    return (line.replace("\0", "") for line in lines)
