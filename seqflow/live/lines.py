"""Lines of text out of bytes that come in any pieces, and rows out of lines."""

from __future__ import annotations

from typing import Any, Protocol

from .row import Bad, BadLineError, Row

MOST_LINE = 1 << 20
"""Bytes of the longest line that is read."""


class Parser(Protocol):
    """One line to a row."""

    def parse(self, line: str) -> Row | None:
        """The row; None for a line without data. Raises BadLineError."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain JSON values that `restore` goes on from."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        ...


class Lines:
    """UTF-8 lines, ended by a line feed, each parsed by itself. Empty ones are passed over."""

    unit = "lines"

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._rest = bytearray()
        self._overlong = False
        self._count = 0
        self._skip = 0

    def feed(self, data: bytes) -> list[Row | Bad]:
        """What the lines that are whole by now say."""
        found: list[Row | Bad] = []
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._hold(part)
            found += self._line()
        self._hold(rest)
        return found

    def finish(self) -> list[Row | Bad]:
        """A last line without its end."""
        return self._line() if self._rest or self._overlong else []

    def consumed(self) -> int:
        """Lines."""
        return self._count

    def replay(self) -> None:
        """Pass over the lines that were consumed."""
        self._skip = self._count

    def state(self) -> dict[str, Any]:
        """The number of lines, and what the parser knows from them."""
        return {"lines": self._count, "parser": self._parser.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._count = int(state["lines"])
        self._parser.restore(state["parser"])

    def _hold(self, part: bytes) -> None:
        if self._overlong or len(self._rest) + len(part) > MOST_LINE:
            self._overlong = True
            self._rest.clear()
        else:
            self._rest += part

    def _line(self) -> list[Row | Bad]:
        raw, overlong = bytes(self._rest), self._overlong
        self._rest.clear()
        self._overlong = False
        if self._skip:
            self._skip -= 1
            return []
        self._count += 1
        if overlong:
            return [Bad(self._count, f"is longer than {MOST_LINE} bytes")]
        text = raw.decode("utf-8-sig" if self._count == 1 else "utf-8", "replace").strip()
        if not text:
            return []
        try:
            row = self._parser.parse(text)
        except BadLineError as error:
            return [Bad(self._count, str(error))]
        return [] if row is None else [row]
