"""How fast a training goes, and how long it will take."""

from __future__ import annotations

import time
from collections import deque

_RECENT = 50


class Pace:
    """Counts steps and samples from its making on; validations take time but are no steps."""

    def __init__(self) -> None:
        self._begin = self._last = time.monotonic()
        self._steps = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)

    def step(self, samples: int) -> None:
        """A step over so many samples is done."""
        now = time.monotonic()
        self._recent.append((now - self._last, samples))
        self._last = now
        self._steps += 1

    def pause(self) -> None:
        """What was done since the last step is no part of the next."""
        self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the making."""
        return time.monotonic() - self._begin

    @property
    def samples_per_second(self) -> float:
        """Over the last steps; 0 before the first."""
        spent = sum(seconds for seconds, _ in self._recent)
        return sum(samples for _, samples in self._recent) / spent if spent > 0 else 0.0

    def eta(self, steps_left: int) -> float:
        """Seconds that so many steps will take, validations and all; 0 before the first step."""
        return self.seconds / self._steps * steps_left if self._steps else 0.0
