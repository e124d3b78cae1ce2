"""JSON lines: one object a line, with values by position or by channel, and a time or a sequence number.

Shapes: C channels, k samples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.columns import TIME_NAMES
from .row import BadLineError, Row
from .stamps import Stamps, sequence

MOST_SAMPLES = 1 << 20


class JsonRows:
    """`{"t": ..., "n": ..., "values": [...]}` or `{"t": ..., "NAME": number, ...}`.

    `values` holds a number for each channel, or such lists, one for each of consecutive samples. Numbers are
    JSON's; null and NaN are missing samples. `n` is the sequence number of the first sample, `t` (also
    `time`, `timestamp`, ...) its time; both may be left out, and `n` goes before `t`.

    Args:
        channels: C.
        names: (C) of the channels; () where they have none, and `values` is needed.
        rate: Hz; without one, times say nothing of the order of samples.
    """

    def __init__(self, channels: int, names: Sequence[str], rate: float | None) -> None:
        self._channels, self._names, self._rate = channels, tuple(names), rate
        self._time = [key for key in TIME_NAMES if key not in self._names]
        self._stamps = Stamps()

    def parse(self, line: str) -> Row | None:
        """The row of a line. Raises BadLineError."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise BadLineError("is not JSON") from None
        if not isinstance(found, dict):
            raise BadLineError('is no JSON object; write {"values": [...]}')
        values = self._values(found)
        time = next((found[key] for key in self._time if found.get(key) is not None), None)
        seconds = None if time is None else self._stamps.seconds(time)
        if found.get("n") is not None and "n" not in self._names:
            return Row(values, float(sequence(found["n"])), True, seconds)
        if seconds is not None and self._rate:
            return Row(values, seconds * self._rate, False, seconds)
        return Row(values, None, True, seconds)

    def state(self) -> dict[str, Any]:
        """What was learned of the times."""
        return self._stamps.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._stamps.restore(state)

    def _values(self, found: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
        if "values" in found and "values" not in self._names:
            given = found["values"]
            if not isinstance(given, list) or not given:
                raise BadLineError("values are no list of numbers")
            rows = given if isinstance(given[0], list) else [given]
            if len(rows) > MOST_SAMPLES:
                raise BadLineError(f"holds {len(rows)} samples, the most is {MOST_SAMPLES}")
            for row in rows:
                if not isinstance(row, list) or len(row) != self._channels:
                    count = len(row) if isinstance(row, list) else 1
                    raise BadLineError(
                        f"has {count} value{'s' * (count != 1)}, the model {self._channels} channels"
                    )
            return np.array([[_number(cell) for cell in row] for row in rows]).T
        if not self._names:
            raise BadLineError('has no "values", and the channels of the model have no names')
        for name in self._names:
            if name not in found:
                raise BadLineError(f"lacks the channel {name!r}")
        return np.array([[_number(found[name])] for name in self._names])


def _number(cell: Any) -> float:
    if cell is None:
        return math.nan
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise BadLineError(f"{cell!r:.40} is not a number")
    try:
        return float(cell)
    except OverflowError:
        raise BadLineError("holds a number beyond all measure") from None
