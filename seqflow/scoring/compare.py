"""With which calibration units a recording is compared, and which rate of false alarms that promises.

All of them, or with `score.by` those of its own class (V. Vovk, Conditional validity of inductive conformal
predictors, 2013: Mondrian): where units of a class are exchangeable with new ones of the same class, the
promise holds in every class, not only on average over them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError, one_line
from ..recipe import ScoreConfig
from .calibration import Calibration
from .fuse import attainable_rate, check_rate, rate_text
from .rates import HOUR, event_hours, per_block
from .tail import LEAST, REACH, JointTail, check_tail

TOO_SMALL = "class_too_small"
"""The state of a recording whose class has too few calibration units for an alarm."""


class Comparison(NamedTuple):
    """What a recording is compared with.

    calibration: with these units alone. tail: of their scores, where one is asked for. alarms: whether they
    can promise the rate. note: a line on what is not as asked for; "" elsewhere.
    """

    calibration: Calibration
    tail: JointTail | None
    alarms: bool
    note: str


class Comparisons:
    """Comparisons of a recipe's score with a calibration.

    `rate` is that of false alarms accepted per unit, `smallest` the least that can be promised. `hz` is the
    rate of the model. `windows` that alarm in a row make an event, None: a block; it counts for alarms per
    hour.

    Raises UsageError where no class can promise the rate, with the one that can, or where the calibration
    does not fit the recipe.
    """

    def __init__(
        self,
        config: ScoreConfig,
        calibration: Calibration,
        hz: float | None,
        windows: int | None = None,
    ) -> None:
        self._calibration, self._by, self._tail = calibration, config.by, config.tail is not None
        self._class_of = None if config.by is None else _classes(config.by, calibration)
        self._made: dict[str, Comparison] = {}
        self._hours: float | None = None
        most = max(self.sizes.values(), default=0) if self._by else len(calibration)
        self._hz = hz
        self.smallest = attainable_rate(most) / (REACH if self._tail else 1)
        if self._tail:
            check_tail(most)
        of = "" if self._by is None else f" of one {self._by}"
        reach = REACH if self._tail else 1
        if config.alarms_per_hour is None:
            self.rate = config.alarm_rate
            check_rate(self.rate, most, calibration.unit, of=of, reach=reach)
        else:
            self._hours = event_hours(calibration, hz, windows)
            # Those of the calibration share no sample.
            length = (calibration.per_unit - 1) * calibration.hop + calibration.window
            hours = length / (hz or 1.0) / HOUR
            self.rate = per_block(config.alarms_per_hour, self._hours, most, hours, of=of, reach=reach)

    @property
    def smallest_per_hour(self) -> float | None:
        """Least false events per hour that can be promised; None where hours mean nothing."""
        if self._calibration.unit != "block" or not self._hz:
            return None
        return self.smallest / (self._hours or event_hours(self._calibration, self._hz))

    @property
    def sizes(self) -> dict[str, int]:
        """Calibration units of each class; none without classes."""
        counts = Counter([] if self._class_of is None else self._class_of.tolist())
        return {value: counts[value] for value in sorted(counts) if value}

    def too_small(self) -> list[str]:
        """A line on each class that cannot promise the rate."""
        return [one.note for one in map(self._class, self.sizes) if not one.alarms]

    def of(self, conditions: Mapping[str, str]) -> Comparison:
        """Of a recording of which this is declared; with all units where its class is not known."""
        if self._by is None:
            return self._class("")
        value = conditions.get(self._by, "")
        if value in self.sizes:
            return self._class(value)
        return self._class("")._replace(note=f"{self._by} is not known: compared with normal ones of all")

    def _class(self, value: str) -> Comparison:
        """Of a class; of all for ""."""
        if value not in self._made:
            self._made[value] = self._make(value)
        return self._made[value]

    def _make(self, value: str) -> Comparison:
        own = self._calibration
        if value and self._class_of is not None:
            own = own.part(self._class_of == value)
        n = len(own)
        tail = JointTail.of(own.units) if self._tail and n >= LEAST else None
        smallest = attainable_rate(n) / (1 if tail is None else REACH)
        if smallest <= self.rate * (1.0 + 1e-9):
            return Comparison(own, tail, True, "")
        per = "" if self._hours is None else " per hour"
        shown, asked = (rate if self._hours is None else rate / self._hours for rate in (smallest, self.rate))
        note = (
            f"{self._by} {one_line(value)}: {n} calibration {own.unit}{'s' * (n != 1)} cannot "
            f"promise an alarm rate of {asked:.3g}{per}, from {rate_text(shown)} on they could; no alarm is "
            "given"
        )
        return Comparison(own, tail, False, note)


def _classes(by: str, calibration: Calibration) -> NDArray[np.str_]:
    """The value of the condition of each unit (n,), "" for none."""
    found = calibration.declared.get(by, ())
    if not any(found):
        names = [name for name, values in calibration.declared.items() if any(values)]
        known = f"it knows {', '.join(names)}" if names else "nothing is declared about them"
        raise UsageError(
            f"score.by: no calibration recording has a {by} ({known}); name one of data.conditions, and "
            "train or calibrate again"
        )
    return np.array(found)
