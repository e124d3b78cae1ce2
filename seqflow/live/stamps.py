"""The sender's time: ISO 8601 text, or numbers of s, ms, us or ns since 1970, or plain seconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from ..data.timestamps import per_second
from .row import BadLineError


class Stamps:
    """Times in seconds. The unit of numbers is that of the first one, by its size, as in files."""

    def __init__(self) -> None:
        self._first: float | int | None = None

    def seconds(self, stamp: Any) -> float:
        """Seconds. Raises BadLineError for what is no time."""
        if isinstance(stamp, str):
            try:
                moment = datetime.fromisoformat(stamp)
            except ValueError:
                raise BadLineError(
                    f"{stamp!r:.40} is no time; write 2024-01-31T23:59:59Z, or seconds"
                ) from None
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(stamp, bool) or not isinstance(stamp, int | float) or not abs(stamp) <= 1e20:
            raise BadLineError(f"{stamp!r:.40} is no time; write 2024-01-31T23:59:59Z, or seconds")
        if self._first is None:
            self._first = stamp
        scale = per_second(abs(self._first))
        # Whole numbers are parted first: as floats they would lose the fractions.
        whole, rest = divmod(stamp, scale)
        return float(whole) + float(rest) / scale

    def state(self) -> dict[str, Any]:
        """The first number."""
        return {"first": self._first}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._first = state["first"]


def sequence(n: Any) -> int:
    """A sequence number. Raises BadLineError for what is none."""
    if isinstance(n, float) and math.isfinite(n) and n == int(n):
        n = int(n)
    if isinstance(n, bool) or not isinstance(n, int) or abs(n) > 1 << 53:
        raise BadLineError(f"{n!r:.40} is no sequence number; write a whole number of samples")
    return n
