"""What a user types of a stream, in the units of its model."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from ..live import MonitorSettings
from ..model import Model
from ..recipe.data import SeriesData
from .stream import StreamOptions, duration

_DRIFT = 30 * 86400.0
_DRIFT_WINDOWS = 1_000_000.0


def stream_options(
    model: Model,
    *,
    onset: int | None,
    drift_every: str | None,
    samples: bool,
    terms: bool,
    wait: str,
    gap: str | None,
    most_bad: int,
    **others: Any,
) -> StreamOptions:
    """Options of `run_stream`. `wait`, `gap` and `drift_every` are times (0.5s, 12h, 30d) or plain numbers.

    Without `gap`, the recipe's `data.irregular` has its say: `split` makes every gap the end of a segment,
    `mask` masks gaps of up to ten windows, and else one window is the longest. Raises UsageError.
    """
    if others["replay"] and others["state"] is None:
        raise UsageError("stream: --replay passes over what a state has consumed; give it with --state")
    if not others["state_every"] > 0.0:
        raise UsageError(f"stream: --state-every must be positive, got {others['state_every']:g}")
    settings = MonitorSettings(
        samples=samples,
        terms=terms,
        onset=onset,
        drift_every=_drift(model, drift_every),
        wait=round(duration(wait, model.rate, "--wait")),
        gap=_gap(model) if gap is None else round(duration(gap, model.rate, "--gap")),
        most_bad=most_bad,
    )
    return StreamOptions(settings=settings, **others)


def _gap(model: Model) -> int | None:
    data = model.recipe.data
    policy = data.irregular if isinstance(data, SeriesData) else "refuse"
    return {"split": 0, "mask": 10 * model.window}.get(policy)


def _drift(model: Model, text: str | None) -> float:
    if text is None:
        return _DRIFT if model.rate else _DRIFT_WINDOWS
    number = duration(text, model.rate, "--drift-every", samples=False)
    if text.strip()[-1:].isalpha() or not model.rate or model.calibration is None:
        return number
    return number * model.calibration.hop / model.rate
