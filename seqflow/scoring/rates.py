"""False alarms per hour of signal as a rate per block of the calibration, and back.

A calibration of blocks promises P(p <= a) <= a of every block. In `windows` windows in a row lie so many
p-values that only one of them counts: a recording is judged by blocks that begin `per_unit` windows apart,
and an event of a stream begins with `onset` windows that all alarm, so that events are at most
alarms/onset. Either way, by the linearity of expectations and whatever depends on what, the expected number
of false events per hour is at most

    R = a / (windows · hop / rate / 3600).
"""

from __future__ import annotations

import math

from ..errors import UsageError
from .calibration import Calibration
from .fuse import rate_text

HOUR = 3600.0


def event_hours(calibration: Calibration, rate: float | None, windows: int | None = None) -> float:
    """Hours from block to block; with `windows`, of so many of them. `rate` in Hz.

    Raises UsageError where there is no clock, or the calibration compares whole recordings.
    """
    if calibration.unit != "block":
        raise UsageError(
            f"alarms per hour: the calibration compares whole recordings ({len(calibration)}), not stretches "
            "of time; give an alarm rate (--alarm-rate), or calibrate on blocks: seqflow calibrate RUN "
            "NORMAL --alarms-per-hour R --out RUN2"
        )
    if not rate:
        raise UsageError(
            "alarms per hour: the model has no rate, so hours mean nothing to it; give an alarm rate "
            "(--alarm-rate), or train with data.rate"
        )
    return (windows or calibration.per_unit) * calibration.hop / rate / HOUR


def check_per_hour(per_hour: float) -> None:
    """Raise UsageError for a number of alarms that is no rate."""
    if not 0.0 < per_hour < math.inf:
        raise UsageError(f"alarms per hour: must be positive, got {per_hour:g}")


def per_block(per_hour: float, hours: float, n: int, block: float, *, of: str = "", reach: int = 1) -> float:
    """The rate of false alarms per block, a, that keeps `per_hour` of them, one in `hours` having a say.

    n blocks of `block` hours calibrate; `of` says which they are, and a tail reaches to a rate `reach` times
    smaller. Raises UsageError where that cannot be promised, with the one that can, or where it is no alarm
    any more.
    """
    check_per_hour(per_hour)
    found, smallest = per_hour * hours, 1.0 / (reach * (n + 1.0))
    if found >= 1.0:
        raise UsageError(
            f"alarms per hour: {per_hour:g} is no less than there are blocks in an hour, {1.0 / hours:.4g}; "
            "ask for less (--alarms-per-hour)"
        )
    # A hair of tolerance: the rate that is named can be asked for.
    if found < smallest * (1.0 - 1e-9):
        needed = (1.0 / (found * reach) - 1.0) * block
        raise UsageError(
            f"alarms per hour: {per_hour:g} is below the smallest attainable rate "
            f"{rate_text(smallest / hours)} with {n} calibration block{'s' * (n != 1)}{of} of "
            f"{block * HOUR:.3g} s; ask for at least that (--alarms-per-hour), or calibrate on "
            f"{needed:.3g} hours of normal recordings or more"
        )
    return found
