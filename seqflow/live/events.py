"""Alarms of windows become events: an onset, a peak and an end, with hysteresis on both sides."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..scoring.live import LiveWindow

RELEASE = 4.0
"""An event lasts while p-values stay at or below so many times the alarm rate."""


def windows_in_a_row(rate: float, a_day: float, stride: int) -> int:
    """Windows in a row that must alarm before it is an event, so that chance makes one a day at most.

    m units that share no sample all alarm by chance with probability rate^m, where they are independent; m is
    the least with a_day·rate^m <= 1. `a_day` windows come in a day, and units that begin `stride` windows
    apart share no sample.
    """
    units = max(1, math.ceil(math.log(max(a_day, 1.0)) / -math.log(rate) - 1e-9))
    return (units - 1) * stride + 1


@dataclass
class _Open:
    """An event, or windows in a row that may become one. peak is a sample, score that of its window."""

    start: int
    end: int
    peak: int
    score: float
    p_value: float
    count: int = 0


class Events:
    """Onsets and ends.

    An event begins when `onset` windows in a row alarm; it reaches from the first to the last window
    whose p-value is at most RELEASE times the rate, and ends once `quiet` windows in a row are above. So at
    most one event comes in `onset` + `quiet` windows, whatever the stream does. Windows without a p-value
    neither alarm nor keep an event going.

    Args:
        rate: of alarms.
        onset, quiet: windows.
    """

    def __init__(self, rate: float, onset: int, quiet: int) -> None:
        self._release = min(1.0, RELEASE * rate) * (1.0 + 1e-9)
        self._onset, self._quiet = onset, quiet
        self._rising: _Open | None = None
        self._open: _Open | None = None
        self._calm = 0
        self.count = 0

    def add(self, window: LiveWindow) -> list[dict[str, Any]]:
        """Take in the next window: lines of the kinds `onset` and `event`, in samples."""
        if self._open is None:
            return self._rise(window)
        if window.p_value is not None and window.p_value <= self._release:
            _extend(self._open, window)
            self._calm = 0
            return []
        self._calm += 1
        return self.finish() if self._calm >= self._quiet else []

    def finish(self) -> list[dict[str, Any]]:
        """End the event that is open, if one is: the stream, or a segment of it, has ended."""
        found, self._open, self._rising, self._calm = self._open, None, None, 0
        return [] if found is None else [_line("event", self.count, found)]

    def state(self) -> dict[str, Any]:
        """Plain values that `restore` goes on from."""
        return {
            "rising": None if self._rising is None else asdict(self._rising),
            "open": None if self._open is None else asdict(self._open),
            "calm": self._calm,
            "count": self.count,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._rising = None if state["rising"] is None else _Open(**state["rising"])
        self._open = None if state["open"] is None else _Open(**state["open"])
        self._calm, self.count = int(state["calm"]), int(state["count"])

    def _rise(self, window: LiveWindow) -> list[dict[str, Any]]:
        if not window.alarm:
            self._rising = None
            return []
        if self._rising is None:
            self._rising = _Open(window.start, window.end, window.start, -math.inf, 1.0)
        _extend(self._rising, window)
        if self._rising.count < self._onset:
            return []
        self._open, self._rising = self._rising, None
        self.count += 1
        return [_line("onset", self.count, self._open)]


def _extend(event: _Open, window: LiveWindow) -> None:
    assert window.score is not None and window.p_value is not None
    event.end, event.count = window.end, event.count + 1
    event.p_value = min(event.p_value, window.p_value)
    if window.score > event.score:
        event.score = window.score
        event.peak = window.start if window.peak is None else window.peak


def _line(kind: str, number: int, event: _Open) -> dict[str, Any]:
    found = {"kind": kind, "event": number, **asdict(event)}
    found["windows"] = found.pop("count")
    return found
