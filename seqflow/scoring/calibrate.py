"""Calibration of the score on held-out normal recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from ..data.recording import Recording
from ..errors import UsageError
from ..flow import Flow
from ..recipe import ScoreConfig
from .calibration import Calibration, Features, fit_calibration
from .stream import BLOCK, Stream
from .term import Array, Term
from .terms import make_terms
from .units import part


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
    codes: list[list[int]] = []
    left_out: list[str] = []
    for recording in recordings:
        stream = Stream(
            flow, recording, window, hop, batch=config.batch, silence_db=config.silence_db, block=block
        )
        features = _features(stream, terms)
        verdict = stream.verdict()
        if verdict.scored and features is not None:
            found.append(features)
            codes.append(flow.classes.codes(recording.conditions))
        else:
            left_out.append(f"{recording.name} ({verdict.status})")
    if not found:
        names = f"; left out: {', '.join(left_out[:5])}" if left_out else ""
        raise UsageError(f"calibration: no recording can be scored{names}; give held-out normal recordings")
    units = part([starts for starts, _ in found], window, hop, config.alarm_rate, unit)
    parts = [
        {name: values[begin:end] for name, values in found[index][1].items()}
        for index, begin, end in units.places
    ]
    return fit_calibration(
        parts,
        terms=config.terms,
        window=window,
        hop=hop,
        smoothing=config.smoothing,
        unit=units.kind,
        per_unit=units.per_unit,
        conditions=np.array([codes[index] for index, _, _ in units.places]) if flow.classes else None,
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
