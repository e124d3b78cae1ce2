"""The one place that prints. Results go to stdout; notes, progress and errors to stderr.

Rich is used on terminals only; elsewhere plain lines come out, one for each thing, for programs and logs to
read. What came from files (names, messages) never reaches the terminal as control characters.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TextIO

_hushed = False


class ReaderGoneError(Exception):
    """Whoever read stdout has gone, as `head` does: there is nobody left to print for."""


def prepare() -> None:
    """Make the streams take any text: what the encoding lacks is shown as an escape, never an error.

    A stream that was closed before the program began swallows all.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def hush() -> None:
    """Print nothing from here on but failures: another process speaks for this one."""
    global _hushed
    _hushed = True


def say(text: str = "") -> None:
    """A line of the result, on stdout."""
    _write(sys.stdout, clean(text) + "\n")


def announce(text: str) -> None:
    """A line on stdout that somebody waits for: it goes out at once."""
    say(text)
    sys.stdout.flush()


def say_text(text: str) -> None:
    """Several lines of the result as they are, such as a file that is shown."""
    _write(sys.stdout, text if text.endswith("\n") else text + "\n")


def say_json(value: Any) -> None:
    """A value as one line of JSON on stdout. NaN and infinite numbers, which JSON lacks, become null."""
    _write(sys.stdout, json.dumps(plain(value), allow_nan=False) + "\n")
    sys.stdout.flush()


def say_json_lines(values: Iterable[Any]) -> None:
    """Values as lines of JSON on stdout, sent off at once."""
    _write(sys.stdout, "".join(json.dumps(plain(value), allow_nan=False) + "\n" for value in values))
    try:
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def note(text: str) -> None:
    """A line about the work itself, on stderr."""
    _write(sys.stderr, clean(text) + "\n")


def fail(text: str) -> None:
    """A line on a failure, on stderr; in red on a terminal."""
    line = clean(text)
    _put(sys.stderr, f"\x1b[31m{line}\x1b[0m\n" if colours(sys.stderr) else f"{line}\n")


def pairs(rows: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the values below each other."""
    rows = [(name, clean(value)) for name, value in rows]
    width = max((_cells(name) for name, _ in rows), default=0)
    if terminal(sys.stdout):
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            grid.add_row(_text(name), _text(value))
        _rich(grid)
        return
    for name, value in rows:
        say(f"{_padded(name, width)}  {value}".rstrip())


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Rows below a head; the columns named in `right` hold numbers and are set to the right."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if terminal(sys.stdout):
        from rich.table import Table

        made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for name in head:
            made.add_column(_text(name), justify="right" if name in right else "left", overflow="fold")
        for row in cells:
            made.add_row(*map(_text, row))
        _rich(made)
        return
    widths = [max(map(_cells, column)) for column in zip(head, *cells, strict=True)]
    for row in [list(head), *cells]:
        aligned = [
            _padded(cell, width, right=name in right)
            for name, cell, width in zip(head, row, widths, strict=True)
        ]
        say("  ".join(aligned).rstrip())


def terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream, on a terminal that can do more than print lines."""
    return not _hushed and stream.isatty() and os.environ.get("TERM") != "dumb"


def colours(stream: TextIO) -> bool:
    """Whether the stream shall have colours; see no-color.org."""
    return terminal(stream) and not os.environ.get("NO_COLOR")


def clean(text: str) -> str:
    """The text on one line: line breaks, control characters and broken characters become escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(value: Any) -> Any:
    """The value in what JSON has: dataclasses become mappings, paths text, numbers of NumPy plain ones."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, str | Path):
        return str(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Iterable):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        return plain(value.item())
    return float(value) if math.isfinite(value) else None


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1e9 else f"{value:.3e}"


def clock(seconds: float | None) -> str:
    """A span of time as 0:07, 12:34 or 1:02:03; a dash where there is none."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(seconds: float, rate: float) -> str:
    """A time as `1d 02:03:04`, with thousandths where there is more than a sample a second."""
    digits = 3 if rate > 1.0 else 0
    days, rest = divmod(round(seconds, digits), 86400.0)
    hours, rest = divmod(rest, 3600.0)
    minutes, rest = divmod(rest, 60.0)
    width = 3 + digits if digits else 2
    return f"{days:.0f}d " * (days > 0) + f"{hours:02.0f}:{minutes:02.0f}:{rest:0{width}.{digits}f}"


def forget(stream: TextIO) -> None:
    """Drop what a stream could not write: Python flushes it at the end, and would complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return


def _write(stream: TextIO, text: str) -> None:
    if not _hushed:
        _put(stream, text)


def _put(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        if stream is sys.stderr:
            stream.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError:
        if stream is not sys.stderr:
            raise
        # The exit code says what the line would have said.
        forget(stream)


def _cells(text: str) -> int:
    """Columns that a text takes on a screen: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    blank = " " * (width - _cells(text))
    return blank + text if right else text + blank


def _text(text: str) -> Any:
    # As Text, brackets are no markup.
    from rich.text import Text

    return Text(text)


def _rich(what: Any) -> None:
    from rich.console import Console

    try:
        Console(file=sys.stdout, highlight=False).print(what)
    except BrokenPipeError as error:
        raise ReaderGoneError from error
