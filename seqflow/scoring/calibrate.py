"""Calibration of the score on held-out normal recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from ..data.recording import Recording
from ..errors import UsageError
from ..flow import Flow
from ..recipe import ScoreConfig
from .background import Background
from .calibration import Calibration, fit_calibration
from .extract import Extract, extract, resolve_hop
from .stream import BLOCK
from .units import part

UnitChoice = Literal["auto", "recording", "block"]


def calibrate(
    flow: Flow,
    recordings: Iterable[Recording],
    config: ScoreConfig,
    *,
    window: int,
    unit: UnitChoice = "auto",
    background: Background | None = None,
    block: int = BLOCK,
) -> Calibration:
    """Score held-out normal recordings and keep what p-values need.

    Args:
        flow: the trained model.
        recordings: normal ones that took no part in training, or parts of them.
        config: terms, hop, smoothing, and the alarm rate that the units are chosen for.
        window: length of the windows the model was trained on, samples.
        unit: what is taken for exchangeable. "recording": whole recordings. "block": blocks of consecutive
            windows that share no sample; differences between recordings then count as anomalies. "auto":
            recordings where there are enough of them for the alarm rate, blocks elsewhere, and where alarms
            are per hour.
        background: what the term `ratio` compares with; the calibration keeps it.
        block: samples read at a time; no influence on the result.

    Recordings in a state without a score (silent, constant, too short) are left out. Memory grows with the
    number of windows, by some hundred bytes each. Raises UsageError where no recording is left, and what
    `Stream` raises.
    """
    found = [
        extract(flow, recording, config, window=window, background=background, block=block)
        for recording in recordings
    ]
    return calibrate_extracts(found, config, window=window, unit=unit, background=background)


def calibrate_extracts(
    extracts: Sequence[Extract],
    config: ScoreConfig,
    *,
    window: int,
    unit: UnitChoice = "auto",
    background: Background | None = None,
) -> Calibration:
    """`calibrate` on recordings that have been through the flow, with the same window, config, background."""
    hop = resolve_hop(config, window)
    found = [one for one in extracts if one.scored]
    if not found:
        left_out = [f"{one.name} ({one.status})" for one in extracts[:5]]
        names = f"; left out: {', '.join(left_out)}" if left_out else ""
        raise UsageError(f"calibration: no recording can be scored{names}; give held-out normal recordings")
    rate, chosen = config.alarm_rate, unit
    if config.alarms_per_hour is not None and unit == "auto":
        chosen = "block"
    own = None if config.by is None else [one.conditions.get(config.by, "") for one in found]
    tail = config.tail is not None
    units = part([one.starts for one in found], window, hop, rate, chosen, own, tail)
    return fit_calibration(
        [found[index].part(begin, end).features for index, begin, end in units.places],
        terms=config.terms,
        window=window,
        hop=hop,
        smoothing=config.smoothing,
        unit=units.kind,
        per_unit=units.per_unit,
        declared=[found[index].conditions for index, _, _ in units.places],
        background=background,
    )
