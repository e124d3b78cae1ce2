"""CSV lines: a header or none, columns by name or in order, numbers as in CSV files.

Shapes: C channels.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..data.columns import TIME_NAMES
from ..data.csv_text import delimiter_of, is_value
from ..data.numbers import Decimal, NotANumberError, numbers
from .row import BadLineError, Row
from .stamps import Stamps, sequence


class CsvRows:
    """A sample a line. A first line in which a cell is neither number, date nor empty is a header.

    With a header the channels are found by name (where the model has none: all but time and `n`), the
    time by its name (`time`, `timestamp`, ...), a sequence number in a column `n`. Without one a line
    holds the C channels in order, and a time before them where there is a cell more. Lines that begin with
    `#` are remarks. The delimiter is that of the first line.

    Args:
        channels: C.
        names: (C) of the channels; () where they have none.
        rate: Hz; without one, times say nothing of the order of samples.
        decimal: decimal mark.
        time: name of the column of times; None: by its usual names.
    """

    def __init__(
        self,
        channels: int,
        names: Sequence[str],
        rate: float | None,
        decimal: Decimal = ".",
        time: str | None = None,
    ) -> None:
        self._channels, self._names, self._rate, self._decimal = channels, tuple(names), rate, decimal
        self._time_names = (time,) if time else TIME_NAMES
        self._stamps = Stamps()
        self._delimiter = ""
        self._header: list[str] | None = None
        self._places: list[int] = []
        self._time: int | None = None
        self._n: int | None = None

    def parse(self, line: str) -> Row | None:
        """The row of a line; None for a header or a remark. Raises BadLineError."""
        if line.startswith("#"):
            return None
        cells = self._cells(line)
        if not self._places:
            self._layout(cells)
            if self._header is not None:
                return None
        if cells == self._header:
            return None  # a sender that was started anew
        width = (
            len(self._header) if self._header is not None else len(self._places) + (self._time is not None)
        )
        if len(cells) != width:
            raise BadLineError(f"has {len(cells)} cell{'s' * (len(cells) != 1)}, not {width}")
        values = self._numbers([cells[place] for place in self._places])[:, None]
        seconds = None if self._time is None else self._seconds(cells[self._time])
        if self._n is not None:
            return Row(values, float(sequence(float(self._numbers([cells[self._n]])[0]))), True, seconds)
        if seconds is not None and self._rate:
            return Row(values, seconds * self._rate, False, seconds)
        return Row(values, None, True, seconds)

    def state(self) -> dict[str, Any]:
        """The form of the lines, and what was learned of the times."""
        return {
            "delimiter": self._delimiter,
            "header": self._header,
            "places": self._places,
            "time": self._time,
            "n": self._n,
            "stamps": self._stamps.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._delimiter, self._header, self._places = state["delimiter"], state["header"], state["places"]
        self._time, self._n = state["time"], state["n"]
        self._stamps.restore(state["stamps"])

    def _cells(self, line: str) -> list[str]:
        self._delimiter = self._delimiter or delimiter_of(line, self._decimal)
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=self._delimiter), [])]
        except csv.Error as error:
            raise BadLineError(f"is no CSV: {error}") from None

    def _layout(self, cells: list[str]) -> None:
        """Where channels, time and sequence number stand."""
        if all(is_value(cell, self._decimal) for cell in cells):
            more = len(cells) - self._channels
            if more not in (0, 1):
                raise BadLineError(
                    f"has {len(cells)} cells without names, the model {self._channels} channels"
                )
            self._time = 0 if more else None
            self._places = list(range(more, len(cells)))
            return
        time = next((cells.index(name) for name in self._lower(cells) if name in cells), None)
        n = cells.index("n") if "n" in cells and "n" not in self._names else None
        names = self._names or [cell for i, cell in enumerate(cells) if cell and i not in (time, n)]
        missing = [name for name in names if name not in cells]
        if missing or len(names) != self._channels:
            what = f"lacks the channel {missing[0]!r}" if missing else f"names {len(names)} channels"
            raise BadLineError(f"is a header that {what}, the model has {self._channels} channels")
        self._header, self._time, self._n = cells, time, n
        self._places = [cells.index(name) for name in names]

    def _lower(self, cells: list[str]) -> list[str]:
        """The cells that may be the name of the time, as they are written, the likeliest first."""
        free = [cell for cell in cells if cell not in self._names]
        return [cell for name in self._time_names for cell in free if cell.lower() == name.lower()]

    def _numbers(self, cells: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        try:
            return numbers(pa.array(cells), self._decimal)
        except NotANumberError as error:
            raise BadLineError(str(error)) from None

    def _seconds(self, cell: str) -> float:
        try:
            number = float(numbers(pa.array([cell]), self._decimal)[0])
        except NotANumberError:
            return self._stamps.seconds(cell)
        return self._stamps.seconds(int(cell) if cell.isdigit() else number)
