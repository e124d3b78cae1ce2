"""Tables of results as text: for terminals, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import one_line


class Table(NamedTuple):
    """Rows of text below a head; the first `left` columns are words, the others numbers."""

    head: tuple[str, ...]
    rows: list[list[str]]
    left: int

    @property
    def right(self) -> tuple[str, ...]:
        """Titles of the columns of numbers."""
        return self.head[self.left :]


def markdown_page(tables: Sequence[Table], facts: Sequence[str]) -> str:
    """Tables, and below them the facts as a list, in Markdown."""
    lines: list[str] = []
    for table in tables:
        rule = ["---"] * table.left + ["---:"] * len(table.right)
        lines += [_line(table.head), "| " + " | ".join(rule) + " |", *map(_line, table.rows), ""]
    return "\n".join([*lines, *(f"* {_cell(fact)}" for fact in facts)]) + "\n"


def number_text(value: float | None) -> str:
    """A figure with three decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def count_text(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun; `many` where the plural is not that of `one` as it stands."""
    return f"{count} {one if count == 1 else many or one}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text that neither ends a cell nor a line."""
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<")
