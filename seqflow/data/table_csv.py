"""CSV files: pyarrow cuts the text into cells, block by block; numbers.py makes numbers of them.

A file is parsed once, on opening, and its numbers are kept: see spool.py.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ..errors import InputError
from ..recipe.data import SeriesData
from . import spool
from .cells import Cells
from .columns import Choice, choose
from .csv_text import Form, blank_lines_at_end, ends_in_line_break, form_of, line_of, rows_of
from .numbers import Decimal, NotANumberError, numbers, votes, with_thousands
from .regular import unreadable
from .scratch import Scratch
from .spool import Spool
from .table import Table, labels_of

# Also the longest row. Cells of a block are text for a moment, some 10 times the size of the numbers.
_BLOCK = 4 << 20
_OTHER: dict[Decimal, Decimal] = {".": ",", ",": "."}


def read_csv(path: Path, config: SeriesData, names: tuple[str, ...] | None, *, strict: bool = False) -> Table:
    """The chosen columns of a CSV file.

    Delimiter (comma, semicolon, tab), header, encoding (UTF-8, UTF-16 with its mark, else Latin-1), line ends
    and a byte order mark are found. Blank lines are passed over, but in a file of one column they are missing
    values: time goes on there. Text columns are left out unless asked for. A last line without its end and
    with too few cells, as a stopped logger leaves it, is dropped, and the status is `truncated`; `strict`
    refuses it.

    Raises InputError: `ragged`, `not_numeric`, `empty`, `truncated`, `corrupt`, `unreadable`, and those of
    `choose`; and ResourceError where a large file needs more room than TMPDIR has.
    """
    form = form_of(path, config.decimal)
    choice = choose(path, form.names, config, names, named=form.named)
    return _Reader(path, form, choice, config, strict).table()


@dataclass
class _Column:
    """A column by its place in the file. `kind`: number, text, or unknown while all its cells are empty."""

    index: int
    kind: str


class _Reader:
    def __init__(self, path: Path, form: Form, choice: Choice, config: SeriesData, strict: bool) -> None:
        self.path, self.form, self.choice, self.config, self.strict = path, form, choice, config, strict
        self.blank = len(form.names) == 1
        self.rows = 0
        self.misfits = 0
        asked = choice.values
        self.columns = [
            _Column(i, "unknown" if asked is None else "number")
            for i in (choice.others if asked is None else asked)
        ]
        self.time = Cells(path) if choice.time else None
        self.values: Spool | None = None
        self.status, self.detail = "ok", ""

    def table(self) -> Table:
        extra = blank_lines_at_end(self.path) if self.blank else 0
        for batch in self._batches():
            self._add(batch)
            if self.misfits > 1:
                break
        if self.misfits:
            self._explain_misfit()
        self.rows -= extra
        if self.rows <= 0 or self.values is None:
            raise InputError(self.path, "empty", "has no rows of data below its header; leave it out")
        self.values.cut(self.rows)
        # A column that is empty throughout still belongs to the table, as a dead sensor does.
        kept = [place for place, column in enumerate(self.columns) if column.kind != "text"]
        if not kept:
            raise InputError(
                self.path, "not_numeric", "has no column of numbers; check the delimiter and data.decimal"
            )
        return Table(
            names=tuple(self.form.names[self.columns[place].index] for place in kept),
            named=self.form.named,
            values=self.values,
            columns=tuple(kept),
            label=None if self.choice.label is None else len(self.columns),
            time=self.time,
            row_of=self._line,
            status=self.status,
            detail=self.detail,
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        keys = [str(i) for i in range(len(self.form.names))]
        used = {column.index for column in self.columns} | set(self.choice.time)
        if self.choice.label is not None:
            used.add(self.choice.label)
        try:
            with pyarrow.csv.open_csv(
                self._source(),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK,
                    column_names=keys,
                    skip_rows=self.form.skip,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.form.delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=not self.blank,
                    invalid_row_handler=self._misfit,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={key: pa.string() for key in keys},
                    include_columns=[str(i) for i in sorted(used)] or keys[:1],
                ),
            ) as reader:
                yield from reader
        except OSError as error:
            raise unreadable(self.path, error) from None
        except (pa.ArrowInvalid, UnicodeError) as error:
            text = " ".join(str(error).split())
            if "Empty CSV" in text or "Could not skip" in text:
                return
            if "straddling" in text:
                text = f"a row is longer than {_BLOCK >> 20} MiB, or a quotation mark is not closed"
            raise InputError(self.path, "corrupt", f"is no CSV: {text}; save it anew") from None

    def _source(self) -> pa.NativeFile:
        """The text in UTF-8. A thread of pyarrow reads ahead, and may still do so when Python ends.

        If it had to ask Python for bytes, or to decode them, the process would abort then, or never end.
        """
        if self.form.encoding == "utf-8-sig":
            return pa.OSFile(os.fsencode(self.path))
        if self.path.stat().st_size <= spool.LARGE:
            return pa.BufferReader(self.path.read_bytes().decode(self.form.encoding).encode())
        copy = Scratch(self.path)
        decoder = codecs.getincrementaldecoder(self.form.encoding)()
        with self.path.open("rb") as file:
            while raw := file.read(_BLOCK):
                copy.write(decoder.decode(raw).encode())
        copy.write(decoder.decode(b"", final=True).encode())
        return pa.OSFile(copy.finished())

    def _misfit(self, row: pyarrow.csv.InvalidRow) -> str:
        if row.text.strip():
            self.misfits += 1
        return "skip"

    def _add(self, batch: pa.RecordBatch) -> None:
        rows = batch.num_rows
        for column in self.columns:
            if column.kind == "unknown":
                cells = batch.column(str(column.index))
                column.kind = self._kind(cells)
                if column.kind == "text" and self._kind(cells, other=True) == "number":
                    # In another notation: an error, and no reason to leave it out.
                    column.kind = "number"
        if self.values is None:
            # A column that turns out to be text only later keeps its place, and is left out at the end.
            self.columns = [column for column in self.columns if column.kind != "text"]
            self.values = Spool(self.path, np.float64, self._width())
        block = np.full((rows, self._width()), np.nan)
        for place, column in enumerate(self.columns):
            if column.kind == "number":
                block[:, place] = self._numbers(batch.column(str(column.index)), column.index)
        if self.choice.label is not None:
            try:
                block[:, -1] = labels_of(batch.column(str(self.choice.label)))
            except NotANumberError as error:
                raise self._not_numeric(error, self.choice.label, "; labels are 0 and 1") from None
        self.values.append(block)
        if self.time is not None:
            self.time.append([batch.column(str(index)) for index in self.choice.time])
        self.rows += rows

    def _width(self) -> int:
        """Columns of the values, the labels among them."""
        return len(self.columns) + (self.choice.label is not None)

    def _kind(self, cells: pa.Array, *, other: bool = False) -> str:
        """What most cells are; `other`: with the other decimal mark, or with marks of thousands."""
        decimal = self.config.decimal
        good, present = votes(cells, decimal)
        if other:
            good = max(good + with_thousands(cells, decimal), votes(cells, _OTHER[decimal])[0])
        return "unknown" if not present else "number" if 2 * good >= present else "text"

    def _numbers(self, cells: pa.Array, index: int) -> NDArray[np.float64]:
        try:
            return numbers(cells, self.config.decimal)
        except NotANumberError as error:
            other = _OTHER[self.config.decimal]
            hint = "; correct it, leave the column out, or leave the cell empty"
            if with_thousands(pa.array([error.cell]), self.config.decimal):
                hint = "; marks of thousands are not read: write it without"
            elif other in error.cell:
                hint = f"; is the decimal mark {other!r}? Then set data.decimal"
            raise self._not_numeric(error, index, hint) from None

    def _not_numeric(self, error: NotANumberError, index: int, hint: str) -> InputError:
        if self.misfits:
            self._explain_misfit()
        line, name = self._line(self.rows + error.index), self.form.names[index]
        return InputError(self.path, "not_numeric", f"row {line}, column {name!r}: {error}{hint}")

    def _explain_misfit(self) -> None:
        """One cut line at the end is dropped; any other row with a wrong number of cells is an error."""
        width = len(self.form.names)
        wrong, last = (0, 0), 0
        for line, cells in rows_of(self.path, self.form, blank=False):
            if not wrong[0] and len(cells) != width and any(cell.strip() for cell in cells):
                wrong = line, len(cells)
            last = line
        line, count = wrong
        if self.misfits == 1 and line == last and count < width and not ends_in_line_break(self.path):
            self.status = "truncated"
            self.detail = f"row {line}, the last one, is cut off and left out"
            if self.strict:
                raise InputError(self.path, "truncated", f"row {line}, the last one, is cut off; remove it")
            return
        found = f"{count} cell{'s' * (count != 1)}, the others have {width}"
        where = f"row {line} has {found}" if line else "rows differ in their cells"
        raise InputError(self.path, "ragged", f"{where}; correct it, or quote cells that hold the delimiter")

    def _line(self, index: int) -> int:
        return line_of(self.path, self.form, index, blank=self.blank)
