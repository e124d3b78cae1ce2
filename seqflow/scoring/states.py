"""Named states of a recording: what it is, before anything is said about how unusual it is.

| state | meaning | scored |
|---|---|---|
| `too_short` | fewer samples than a window | no |
| `silent` | audio: every channel deviates from 0 by less than `silence_db` re full scale 1.0 (rms) | no |
| `constant` | every channel holds one value throughout | no |
| `nonfinite` | some samples are NaN, infinite or missing | where a window of valid samples is left |
| `dead_channel` | one channel, not all, holds one value throughout | yes |
| `clipped` | audio: a channel sits at its highest or lowest value, see below | yes |
| others, as `truncated` | come with the source, from the data layer | yes |

Clipped: at least CLIP_SHARE of a channel's samples sit in runs of CLIP_RUN or more at its highest or lowest
value, which is at least CLIP_LEVEL of full scale away from 0.

A silent recording is among the likeliest of all under most models. It must never rank as normal: it gets its
name and no score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .source import Mask, Values

CLIP_RUN = 3
CLIP_SHARE = 1e-3
CLIP_LEVEL = 0.1


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

    def __init__(self, channels: int, audio: bool, silence_db: float) -> None:
        self._audio = audio
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
            x = row[valid].astype(np.float64)
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

    def verdict(self, window: int, windows: int, source_status: str = "ok") -> Verdict:
        """The state, given the window length, how many windows there were, and the source's own status."""
        seen = self._n > 0
        flat = seen & (self._low == self._high)
        level = np.sqrt(self._square / np.maximum(self._n, 1.0) + self._mean**2)
        if self.samples < window:
            return Verdict("too_short", f"{self.samples} samples, a window has {window}", False)
        if not seen.any():
            return Verdict("nonfinite", f"none of the {self.samples} samples is valid", False)
        if self._audio and bool((level[seen] < self._silence).all()):
            return Verdict("silent", f"below {20.0 * np.log10(self._silence):g} dB re full scale", False)
        if bool(flat[seen].all()):
            return Verdict("constant", "every channel holds one value", False)
        if windows == 0:
            text = f"{self.invalid} of {self.samples} samples invalid, no {window} valid ones in a row"
            return Verdict("nonfinite", text, False)
        lines: list[tuple[str, str]] = []
        if source_status != "ok":
            lines.append((source_status, f"{self.samples} samples could be read"))
        if flat.any():
            names = ", ".join(str(index) for index in np.flatnonzero(flat))
            lines.append(("dead_channel", f"channel {names} holds one value"))
        clipped = self._clipped()
        if clipped:
            lines.append(("clipped", f"{clipped} samples in runs at the highest or lowest value"))
        if self.invalid:
            lines.append(("nonfinite", f"{self.invalid} of {self.samples} samples invalid, left out"))
        if not lines:
            return Verdict("ok", "", True)
        return Verdict(lines[0][0], "; ".join(f"{name}: {text}" for name, text in lines), True)

    def _clipped(self) -> int:
        count = 0
        for n, pair in zip(self._n, self._runs, strict=False):
            inside = sum(runs.count for runs in pair if abs(runs.extreme) >= CLIP_LEVEL)
            count += inside if n and inside >= CLIP_SHARE * n else 0
        return count
