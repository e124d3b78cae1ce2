"""An unusual interval with its rank: place in samples, seconds and time stamps, channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..data.recording import Recording
from .worst import Interval


@dataclass(frozen=True)
class RankedInterval:
    """An interval that is unusual.

    Attributes:
        rank: 1 for the highest.
        start, end, peak: samples; the end is not part of it, the peak is where the score is highest.
        height: of the score of samples at the peak.
        start_seconds, end_seconds, peak_seconds: the same in seconds from the first sample; None without a
            rate.
        start_time, last_time, peak_time: time stamps, as the file has them, of the first sample, of the last
            one that is part of it, and of the peak; None where the file has none.
        channels: of several channels those that add most to the score in it, and their shares, 0 to 1.
    """

    rank: int
    start: int
    end: int
    peak: int
    height: float
    start_seconds: float | None = None
    end_seconds: float | None = None
    peak_seconds: float | None = None
    start_time: str | None = None
    last_time: str | None = None
    peak_time: str | None = None
    channels: Mapping[str, float] | None = None


def ranked(
    recording: Recording, rank: int, one: Interval, channels: Mapping[str, float] | None = None
) -> RankedInterval:
    """An interval of a recording with its rank; places count from the beginning of the whole recording."""
    start, end, peak = (recording.start + at for at in one[:3])
    seconds = [None if recording.rate is None else at / recording.rate for at in (start, end, peak)]
    return RankedInterval(
        rank=rank,
        start=start,
        end=end,
        peak=peak,
        height=one.height,
        start_seconds=seconds[0],
        end_seconds=seconds[1],
        peak_seconds=seconds[2],
        start_time=recording.time_of(one.start),
        last_time=recording.time_of(one.end - 1),
        peak_time=recording.time_of(one.peak),
        channels=channels,
    )
