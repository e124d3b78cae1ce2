"""Named states of a recording: what it is, before anything is said about how unusual it is.

| state | meaning | scored |
|---|---|---|
| `too_short` | fewer samples than a window | no |
| `silent` | audio: every channel deviates from 0 by less than `silence_db` re full scale 1.0 (rms) | no |
| `constant` | every channel holds one value throughout | no |
| `nonfinite` | some samples are NaN, infinite or missing | where a window of valid samples is left |
| `dead_channel` | one channel, not all, holds one value throughout, also one that is mixed into mono | yes |
| `clipped` | audio: a channel sits at its highest or lowest value, see below | yes |
| `dc_offset` | audio: a channel's mean lies far from 0, see below | yes |
| others, as `truncated` | come with the recording, from the data layer | yes |

Clipped: at least CLIP_SHARE of a channel's samples sit in runs of CLIP_RUN or more at its highest or lowest
value, which is at least CLIP_LEVEL of full scale away from 0. DC offset: the mean lies at least DC_LEVEL of
full scale, and half of the deviation around it, away from 0.

A silent recording is among the likeliest of all under most models. It must never rank as normal: it gets its
name and no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.recording import Mask, Values

CLIP_RUN = 3
CLIP_SHARE = 1e-3
CLIP_LEVEL = 0.1
DC_LEVEL = 0.02
_LARGEST = 1e140


class Verdict(NamedTuple):
    """The state's name, a line on all that was found, and whether a score may be given."""

    status: str
    detail: str
    scored: bool


class _Runs:
    """Samples of one channel in runs of CLIP_RUN or more at its extreme value, over blocks."""

    def __init__(self) -> None:
        self.extreme = -np.inf
        self.count = 0
        self._trailing = 0

    def add(self, x: NDArray[np.float64]) -> None:
        top = float(x.max())
        if top > self.extreme:
            self.extreme, self.count, self._trailing = top, 0, 0
        at = np.concatenate([[0], (x == self.extreme).astype(np.int8), [0]])
        change = np.diff(at)
        begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
        lengths = ends - begins
        carried = self._trailing
        joined = bool(len(begins)) and begins[0] == 0
        full = lengths.copy()
        if joined:
            full[0] += carried
            # The part before the border was counted already if it was long enough by itself.
            self.count -= carried if carried >= CLIP_RUN else 0
        self.count += int(full[full >= CLIP_RUN].sum())
        self._trailing = int(full[-1]) if len(ends) and ends[-1] == len(x) else 0


class StateTracker:
    """Gathers what the states need from blocks of samples, in constant memory."""

    def __init__(
        self, channels: int, audio: bool, silence_db: float, channel_names: Sequence[str] = ()
    ) -> None:
        self._audio = audio
        self._names = list(channel_names) or [str(index) for index in range(channels)]
        self._silence = 10.0 ** (silence_db / 20.0)
        self.samples = 0
        self.invalid = 0
        self._n = np.zeros(channels)
        self._mean = np.zeros(channels)
        self._square = np.zeros(channels)
        self._low = np.full(channels, np.inf)
        self._high = np.full(channels, -np.inf)
        self._runs = [(_Runs(), _Runs()) for _ in range(channels)] if audio else []

    def add(self, values: Values, mask: Mask) -> None:
        """Take in a block (C, n) and the mask (C, n) of its valid samples."""
        self.samples += values.shape[1]
        self.invalid += int((~mask.all(axis=0)).sum())
        for channel, (row, valid) in enumerate(zip(values, mask, strict=True)):
            # Squares of what lies beyond would overflow.
            x = row[valid].astype(np.float64).clip(-_LARGEST, _LARGEST)
            if not len(x):
                continue
            self._merge(channel, x)
            self._low[channel] = min(self._low[channel], x.min())
            self._high[channel] = max(self._high[channel], x.max())
            if self._runs:
                highest, lowest = self._runs[channel]
                highest.add(x)
                lowest.add(-x)

    def _merge(self, channel: int, x: NDArray[np.float64]) -> None:
        """Join mean and sum of squared deviations with a block's (Chan, Golub and LeVeque, 1983)."""
        n, mean = len(x), float(x.mean())
        square = float(((x - mean) ** 2).sum())
        total = self._n[channel] + n
        gap = mean - self._mean[channel]
        self._square[channel] += square + gap**2 * self._n[channel] * n / total
        self._mean[channel] += gap * n / total
        self._n[channel] = total

    def verdict(self, window: int, windows: int, fault: tuple[str, str] = ("ok", "")) -> Verdict:
        """The state, given the window length, how many windows there were, and the recording's own fault."""
        level = np.sqrt(self._square / np.maximum(self._n, 1.0) + self._mean**2)
        seen = self._n > 0
        flat = seen & (self._low == self._high)
        if self.samples < window:
            text = f"{self.samples} sample{'s' * (self.samples != 1)}, a window has {window}"
            return _refused(fault, "too_short", text)
        if not seen.all():
            text = f"channel {self._list(~seen)} has no valid sample in {self.samples}"
            return _refused(fault, "nonfinite", text)
        if self._audio and bool((level < self._silence).all()):
            return _refused(fault, "silent", f"below {20.0 * np.log10(self._silence):g} dB re full scale")
        if bool(flat.all()):
            return _refused(fault, "constant", "every channel holds one value")
        if windows == 0:
            text = f"{self.invalid} of {self.samples} samples invalid, no {window} valid ones in a row"
            return _refused(fault, "nonfinite", text)
        lines = [fault] if fault[0] != "ok" else []
        if flat.any():
            lines.append(("dead_channel", f"channel {self._list(flat)} holds one value"))
        clipped = self._clipped()
        if clipped:
            lines.append(("clipped", f"{clipped} samples in runs at the highest or lowest value"))
        offset = self._offset()
        if offset.any():
            lines.append(("dc_offset", f"channel {self._list(offset)} has its mean far from 0"))
        if self.invalid:
            lines.append(("nonfinite", f"{self.invalid} of {self.samples} samples invalid, left out"))
        if not lines:
            return Verdict("ok", "", True)
        return Verdict(lines[0][0], "; ".join(f"{name}: {text}" for name, text in lines), True)

    def _list(self, which: NDArray[np.bool_]) -> str:
        return ", ".join(self._names[index] for index in np.flatnonzero(which))

    def _offset(self) -> NDArray[np.bool_]:
        if not self._audio:
            return np.zeros(len(self._n), dtype=bool)
        deviation = np.sqrt(self._square / np.maximum(self._n, 1.0))
        return np.asarray(np.abs(self._mean) >= np.maximum(DC_LEVEL, 0.5 * deviation))

    def _clipped(self) -> int:
        count = 0
        for n, pair in zip(self._n, self._runs, strict=False):
            inside = sum(runs.count for runs in pair if abs(runs.extreme) >= CLIP_LEVEL)
            count += inside if n and inside >= CLIP_SHARE * n else 0
        return count


def _refused(fault: tuple[str, str], status: str, text: str) -> Verdict:
    """No score, for this reason; a fault of the file comes first in the detail, as it may be the cause."""
    return Verdict(status, text if fault[0] == "ok" else f"{fault[0]}: {fault[1]}; {text}", False)
