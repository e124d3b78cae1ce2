"""P-values in a row become events: an onset, a peak and an end, with hysteresis on both sides.

One implementation for windows of a stream and blocks of a recording; "step" stands for either.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Protocol

from .judge import promised

RELEASE = 4.0
"""An event lasts while p-values stay at or below so many times the alarm rate."""


class Step(Protocol):
    """What has a p-value, None where it has none."""

    @property
    def start(self) -> int:
        """Its first sample."""
        ...

    @property
    def end(self) -> int:
        """The sample behind its last one."""
        ...

    @property
    def score(self) -> float | None:
        """Larger is more unusual."""
        ...

    @property
    def p_value(self) -> float | None:
        """Of it, or of the unit that ends with it."""
        ...

    @property
    def peak(self) -> int | None:
        """The sample to look at first."""
        ...


@dataclass
class Event:
    """An event, or steps in a row that may become one.

    Attributes:
        start, end: samples start .. end - 1.
        peak: the sample to look at first, in the step with the highest score.
        score, p_value: the highest score and the lowest p-value of its steps.
        count: steps whose p-value keeps it going.
    """

    start: int
    end: int
    peak: int
    score: float
    p_value: float
    count: int = 0


class Noted(NamedTuple):
    """An event as it begins (`onset`) and once it has ended (`event`), under its number, from 1."""

    kind: Literal["onset", "event"]
    number: int
    event: Event


def windows_in_a_row(rate: float, a_day: float, stride: int) -> int:
    """Windows in a row that must alarm before it is an event, so that chance makes one a day at most.

    m units that share no sample all alarm by chance with probability rate^m, where they are independent; m is
    the least with a_day·rate^m <= 1. `a_day` windows come in a day, and units that begin `stride` windows
    apart share no sample.
    """
    units = max(1, math.ceil(math.log(max(a_day, 1.0)) / -math.log(rate) - 1e-9))
    return (units - 1) * stride + 1


class Events:
    """Onsets and ends.

    An event begins when `onset` steps in a row alarm; it reaches from the first to the last step whose
    p-value is at most RELEASE times the rate, and ends once `quiet` steps in a row are above. So there are at
    most as many events as alarms/onset, and one in `onset` + `quiet` steps, whatever comes. Steps without a
    p-value neither alarm nor keep an event going.

    Args:
        rate: of alarms: a step alarms whose p-value is at most this.
        onset, quiet: steps.
    """

    def __init__(self, rate: float, onset: int, quiet: int) -> None:
        self._rate = rate
        self._release = min(1.0, RELEASE * rate)
        self._onset, self._quiet = onset, quiet
        self._rising: Event | None = None
        self._open: Event | None = None
        self._calm = 0
        self.count = 0

    def add(self, step: Step) -> list[Noted]:
        """Take in the next step: the onset it is, the event it ends."""
        if self._open is None:
            return self._rise(step)
        if step.p_value is not None and promised(step.p_value, self._release):
            _extend(self._open, step)
            self._calm = 0
            return []
        self._calm += 1
        return self.finish() if self._calm >= self._quiet else []

    def finish(self) -> list[Noted]:
        """End the event that is open, if one is: the stream, or a segment of it, has ended."""
        found, self._open, self._rising, self._calm = self._open, None, None, 0
        return [] if found is None else [Noted("event", self.count, found)]

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
        self._rising = None if state["rising"] is None else Event(**state["rising"])
        self._open = None if state["open"] is None else Event(**state["open"])
        self._calm, self.count = int(state["calm"]), int(state["count"])

    def _rise(self, step: Step) -> list[Noted]:
        if step.p_value is None or not promised(step.p_value, self._rate):
            self._rising = None
            return []
        if self._rising is None:
            self._rising = Event(step.start, step.end, step.start, -math.inf, 1.0)
        _extend(self._rising, step)
        if self._rising.count < self._onset:
            return []
        self._open, self._rising = self._rising, None
        self.count += 1
        return [Noted("onset", self.count, self._open)]


def _extend(event: Event, step: Step) -> None:
    assert step.score is not None and step.p_value is not None
    event.start, event.end = min(event.start, step.start), max(event.end, step.end)
    event.count += 1
    event.p_value = min(event.p_value, step.p_value)
    if step.score > event.score:
        event.score = step.score
        event.peak = step.start if step.peak is None else step.peak
