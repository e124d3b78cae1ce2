"""What decoders hand on: consecutive samples that came together, or what is wrong with a line.

Shapes: values (C, k).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from ..data.recording import Values


class Row(NamedTuple):
    """Consecutive samples (C, k), k >= 1; NaN where one is missing.

    key: place of the first one on a line counted in samples, from the sender's sequence number or time; None
    where samples simply follow each other. exact: whether keys are sequence numbers. time: seconds since
    1970, or as the sender counts; None where it gives none.
    """

    values: Values
    key: float | None = None
    exact: bool = True
    time: float | None = None


class Bad(NamedTuple):
    """A line that cannot be used: its number in all the input, from 1, and why."""

    line: int
    reason: str


class BadLineError(ValueError):
    """A line cannot be used; the message says why."""


class Decoder(Protocol):
    """Bytes to rows. What is not whole yet, a cut frame or line, is kept, but no part of the state."""

    unit: str
    """What the sender counts: "samples" or "lines"."""

    def feed(self, data: bytes) -> list[Row | Bad]:
        """What the bytes complete."""
        ...

    def finish(self) -> list[Row | Bad]:
        """What is left at the end of the input."""
        ...

    def consumed(self) -> int:
        """Whole samples or lines taken in, see `unit`."""
        ...

    def replay(self) -> None:
        """The input comes from its beginning again: pass over as much as was consumed."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain JSON values that `restore` goes on from."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        ...
