"""Shares of the channels in the unusual intervals of a recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.recording import Recording
from ..explanation import channel_shares, material
from ..explanation.channels import MOST_WINDOWS
from ..model import Model
from ..recipe import ScoreConfig
from ..scoring import FileScore
from ..scoring.ranked import RankedInterval
from .writers import column_names


def with_channels(model: Model, config: ScoreConfig, recording: Recording, score: FileScore) -> FileScore:
    """The score with the shares of all channels in its intervals, the largest first; else as it is."""
    if recording.channels < 2 or not score.intervals:
        return score
    return replace(score, intervals=tuple(_shared(model, config, recording, one) for one in score.intervals))


def _shared(
    model: Model, config: ScoreConfig, recording: Recording, interval: RankedInterval
) -> RankedInterval:
    start, end, peak = (at - recording.start for at in (interval.start, interval.end, interval.peak))
    # No more is read of a long interval than is looked at.
    reach = MOST_WINDOWS * model.window
    start, end = max(start, peak - reach), min(end, peak + reach)
    low, high = max(0, start - model.window), min(recording.length, end + model.window)
    given = material(model.flow, recording, config, model.calibration, low, high)
    shares = channel_shares(given, start - low, end - low, peak - low)
    names = column_names(recording.channel_names or model.channel_names, model.channels)
    order = np.argsort(-shares, kind="stable")
    return replace(interval, channels={names[index]: float(shares[index]) for index in order})
