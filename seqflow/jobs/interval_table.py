"""A table of unusual intervals, one row for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import one_line
from ..scoring.ranked import RankedInterval
from ..scoring.results import guard


def intervals_csv(found: Iterable[tuple[str, str, Sequence[RankedInterval]]]) -> str:
    """CSV from names, paths and intervals; what a spreadsheet would take for a formula is guarded."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    keys = [key for key in RankedInterval.__dataclass_fields__ if key != "channels"]
    writer.writerow(["name", "path", *keys, "channels"])
    for name, path, intervals in found:
        for interval in intervals:
            shares = "; ".join(
                f"{channel} {share:.3f}" for channel, share in (interval.channels or {}).items()
            )
            cells = [name, path, *(getattr(interval, key) for key in keys), shares]
            writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(cell: Any) -> Any:
    # File names may hold bytes that are no UTF-8: they are shown as escapes.
    text = one_line(cell).encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell
    return guard(text) if isinstance(text, str) else text
