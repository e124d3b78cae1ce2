"""Calibration of the score on held-out normal recordings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from ..data.recording import Recording
from ..errors import UsageError
from ..flow import Flow
from ..recipe import ScoreConfig
from .calibration import Calibration, Features, Unit, fit_calibration
from .fuse import attainable_rate
from .stream import BLOCK, Stream
from .term import Array, Term
from .terms import make_terms

_BLOCKS = 100


def resolve_hop(config: ScoreConfig, window: int) -> int:
    """Distance between windows, samples: the recipe's, or half a window."""
    return config.hop if config.hop is not None else max(1, window // 2)


def calibrate(
    flow: Flow,
    recordings: Iterable[Recording],
    config: ScoreConfig,
    *,
    window: int,
    unit: Literal["auto", "recording", "block"] = "auto",
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
            recordings where there are enough of them for the alarm rate, blocks elsewhere.
        block: samples read at a time; no influence on the result.

    Recordings in a state without a score (silent, constant, too short) are left out. Memory grows with the
    number of windows, by some hundred bytes each. Raises UsageError where no recording is left, and what
    `Stream` raises.
    """
    hop = resolve_hop(config, window)
    terms = make_terms(config.terms, config.smoothing)
    found: list[tuple[Array, Features]] = []
    left_out: list[str] = []
    for recording in recordings:
        stream = Stream(
            flow, recording, window, hop, batch=config.batch, silence_db=config.silence_db, block=block
        )
        features = _features(stream, terms)
        verdict = stream.verdict()
        if verdict.scored and features is not None:
            found.append(features)
        else:
            left_out.append(f"{recording.name} ({verdict.status})")
    if not found:
        names = f"; left out: {', '.join(left_out[:5])}" if left_out else ""
        raise UsageError(f"calibration: no recording can be scored{names}; give held-out normal recordings")
    enough = attainable_rate(len(found)) <= config.alarm_rate * (1.0 + 1e-9)
    kind: Unit = unit if unit != "auto" else "recording" if enough else "block"
    per_unit = 0
    units: Sequence[Features] = [features for _, features in found]
    if kind == "block":
        per_unit = _block_size(sum(len(starts) for starts, _ in found), window, hop, config.alarm_rate)
        per_unit = min(per_unit, max(len(starts) for starts, _ in found))
        units = [part for starts, f in found for part in _blocks(starts, f, per_unit, window)]
    return fit_calibration(
        units,
        terms=config.terms,
        window=window,
        hop=hop,
        smoothing=config.smoothing,
        unit=kind,
        per_unit=per_unit,
    )


def _features(stream: Stream, terms: Sequence[Term]) -> tuple[Array, Features] | None:
    starts: list[int] = []
    parts: dict[str, list[Array]] = {term.name: [] for term in terms}
    for begun, batch in stream:
        starts += begun
        for term in terms:
            parts[term.name].append(term.extract(batch).cpu().numpy())
    if not starts:
        return None
    return np.array(starts, dtype=np.float64), {name: np.concatenate(p) for name, p in parts.items()}


def _block_size(windows: int, window: int, hop: int, rate: float) -> int:
    """Windows in a block, so that there are enough blocks: 100, or twice what the alarm rate needs."""
    wanted = max(_BLOCKS, math.ceil(2.0 / rate))
    # A block of m windows spans (m - 1) + window/hop hops, and the next begins behind it.
    return max(1, int(windows / wanted - window / hop + 1.0))


def _blocks(starts: Array, features: Features, per_unit: int, window: int) -> list[Features]:
    """Consecutive blocks of `per_unit` windows, no two of which share a sample."""
    result: list[Features] = []
    begin = 0
    while begin + per_unit <= len(starts):
        end = begin + per_unit
        result.append({name: values[begin:end] for name, values in features.items()})
        begin = int(np.searchsorted(starts, starts[end - 1] + window, side="left"))
    return result
