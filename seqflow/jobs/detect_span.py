"""How much of a series is known to be normal: a number of samples, or a time."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from ..data.recording import Recording
from ..errors import InputError, UsageError

LEAST = 32
"""Fewest samples to fit on."""

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(rf"(\d{{1,12}}(?:\.\d{{1,9}})?)\s?({'|'.join(_UNITS)})")


class Span(NamedTuple):
    """`samples`, or where that is None, `seconds`; `text` as it was given."""

    text: str
    samples: int | None
    seconds: float

    def count(self, recording: Recording) -> int:
        """Samples of a recording.

        Raises InputError: `no_rate` for a time where the recording has no clock, `too_short` where it has
        fewer samples, or the time holds fewer than 32.
        """
        where = Path(recording.path or recording.name)
        count = self.samples
        if count is None:
            if recording.rate is None:
                raise InputError(
                    where, "no_rate", f"has no clock to tell {self.text}; give a number of samples"
                )
            count = round(self.seconds * recording.rate)
        if count > recording.length:
            what = f"has {recording.length} samples, {count} are said to be normal"
            raise InputError(where, "too_short", f"{what}; say fewer")
        if count < LEAST:
            raise InputError(
                where, "too_short", f"{self.text} are {count} samples, {LEAST} are needed; say more"
            )
        return count


def span_of(normal: int | str | None) -> Span | None:
    """A number of samples, or a time such as 500ms, 90s, 30m, 6h, 1.5d, as a Span; None for None.

    Raises UsageError for any other text, and for fewer than 32 samples.
    """
    if normal is None:
        return None
    text = str(normal).strip()
    if re.fullmatch(r"\d{1,15}", text):
        if int(text) < LEAST:
            raise UsageError(f"normal: {text} samples are too few to fit on; give {LEAST} or more")
        return Span(text, int(text), math.nan)
    found = _SPAN.fullmatch(text)
    if found is None or float(found[1]) <= 0.0:
        raise UsageError(
            f"normal: {text!r:.40} is neither a number of samples nor a time such as 90s, 30m, 6h or 2d"
        )
    return Span(text, None, float(found[1]) * _UNITS[found[2]])
