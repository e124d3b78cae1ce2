"""What is in a file of recordings: its format, level and faults, in one pass and constant memory."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipe.data import DataConfig, SeriesData
from .open import open_recordings
from .recording import Kind, Recording
from .runs import Runs

SILENCE_DB = -60.0
"""Audio below this peak level, dB re full scale, counts as silence where it lasts 20 ms or more."""
CLIP_RUN = 3
"""Samples in a row at the highest or lowest value of a channel that count as clipped."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Inspection:
    """Figures of one file.

    Attributes:
        name, path, kind, channels, channel_names, rate, step, status, detail: as of a Recording.
        length: samples per channel that can be read.
        duration: seconds; None for data without a clock.
        minimum, maximum, mean: (C) of the valid samples of each channel, NaN for none; peak: largest
            absolute value.
        rms: of all valid samples, units of the data.
        rms_db: of audio, dB re full scale 1.0; -inf for zeros; None for series.
        clipped: largest share of a channel's samples in runs of 3 or more at its highest or lowest value.
        silent: of audio, share of samples in stretches of silence; None for series.
        missing: share of samples that are not valid in every channel.
        gaps, longest_gap: number of runs of such samples, and the longest, samples.
        constant: names, or numbers, of the channels that hold one value throughout, or nothing.
    """

    name: str
    path: str
    kind: Kind
    channels: int
    channel_names: tuple[str, ...]
    rate: float | None
    step: float | None
    length: int
    duration: float | None
    status: str
    detail: str
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    mean: tuple[float, ...]
    peak: float
    rms: float
    rms_db: float | None
    clipped: float
    silent: float | None
    missing: float
    gaps: int
    longest_gap: int
    constant: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """The figures by name, as plain values: lists for channels, None where a number is not finite."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def inspect(path: str | Path, config: DataConfig) -> Inspection:
    """Figures of a file, read as a recipe's `data` says. Raises InputError where it cannot be read.

    A series that the recipe splits at gaps is looked at as a whole, with its gaps.
    """
    if isinstance(config, SeriesData) and config.irregular == "split":
        config = config.model_copy(update={"irregular": "mask"})
    return inspect_recording(open_recordings(path, config)[0])


def inspect_recording(recording: Recording) -> Inspection:
    """Figures of a recording."""
    audio = recording.kind == "audio"
    channels = [_Channel() for _ in range(recording.channels)]
    gaps = Runs()
    silence = Runs(max(CLIP_RUN, round(0.02 * (recording.rate or 0.0))))
    floor, length = 10.0 ** (SILENCE_DB / 20.0), 0
    for values, mask in recording.blocks(_BLOCK):
        length += values.shape[1]
        valid = np.asarray(mask.all(axis=0))
        gaps.add(~valid)
        if audio:
            silence.add(np.asarray(valid & (np.abs(values) < floor).all(axis=0)))
        for channel, row, good in zip(channels, values, mask, strict=True):
            channel.add(row[good].astype(np.float64))
    count = sum(channel.count for channel in channels)
    power = sum(channel.power for channel in channels)
    rms = math.sqrt(power / count) if count else 0.0
    names = recording.channel_names or tuple(map(str, range(recording.channels)))
    return Inspection(
        name=recording.name,
        path=recording.path,
        kind=recording.kind,
        channels=recording.channels,
        channel_names=recording.channel_names,
        rate=recording.rate,
        step=recording.step,
        length=length,
        duration=length / recording.rate if recording.rate else None,
        status=recording.status,
        detail=recording.detail,
        minimum=tuple(channel.low if channel.count else math.nan for channel in channels),
        maximum=tuple(channel.high if channel.count else math.nan for channel in channels),
        mean=tuple(channel.total / channel.count if channel.count else math.nan for channel in channels),
        peak=max((max(abs(c.low), abs(c.high)) for c in channels if c.count), default=0.0),
        rms=rms,
        rms_db=(20.0 * math.log10(rms) if rms else -math.inf) if audio else None,
        clipped=max(channel.clipped for channel in channels),
        silent=silence.samples / max(length, 1) if audio else None,
        missing=gaps.samples / max(length, 1),
        gaps=gaps.count,
        longest_gap=gaps.longest,
        constant=tuple(n for n, channel in zip(names, channels, strict=True) if channel.low >= channel.high),
    )


class _Channel:
    """Running figures of the valid samples of a channel."""

    def __init__(self) -> None:
        self.count = 0
        self.total = self.power = 0.0
        self.low, self.high = math.inf, -math.inf
        self._at_low, self._at_high = Runs(CLIP_RUN), Runs(CLIP_RUN)

    @property
    def clipped(self) -> float:
        """Share of samples in runs at either end; 0 for a constant channel, which is another fault."""
        if self.low >= self.high:
            return 0.0
        return (self._at_low.samples + self._at_high.samples) / self.count

    def add(self, x: NDArray[np.float64]) -> None:
        if not len(x):
            return
        self.count += len(x)
        self.total += float(x.sum())
        with np.errstate(over="ignore"):
            self.power += float((x * x).sum())
        if x.min() < self.low:
            self.low = float(x.min())
            self._at_low.clear()
        if x.max() > self.high:
            self.high = float(x.max())
            self._at_high.clear()
        self._at_low.add(x == self.low)
        self._at_high.add(x == self.high)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
