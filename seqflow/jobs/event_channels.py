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
from ..scoring.event import Event
from .writers import column_names


def with_channels(model: Model, config: ScoreConfig, recording: Recording, score: FileScore) -> FileScore:
    """The score with the shares of all channels in its events, the largest first; of one channel as it is."""
    if recording.channels < 2 or not score.events:
        return score
    return replace(score, events=tuple(_shared(model, config, recording, one) for one in score.events))


def _shared(model: Model, config: ScoreConfig, recording: Recording, event: Event) -> Event:
    start, end, peak = (at - recording.start for at in (event.start, event.end, event.peak))
    # No more is read of a long interval than is looked at.
    reach = MOST_WINDOWS * model.window
    start, end = max(start, peak - reach), min(end, peak + reach)
    low, high = max(0, start - model.window), min(recording.length, end + model.window)
    given = material(model.flow, recording, config, model.calibration, low, high)
    shares = channel_shares(given, start - low, end - low, peak - low)
    names = column_names(recording.channel_names or model.channel_names, model.channels)
    order = np.argsort(-shares, kind="stable")
    return replace(event, channels={names[index]: float(shares[index]) for index in order})
