"""What a trained model is: its recipe, size, figures and calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import sha256
from ..model import Model, model_file
from ..scoring.rates import event_hours


@dataclass(frozen=True)
class CalibrationInfo:
    """What stands behind the p-values of a model.

    Attributes:
        unit, n: what was held back, recordings or blocks of windows, and how many.
        attainable_rate: smallest rate of false alarms per unit that can be promised.
        attainable_per_hour: smallest number of false events per hour; None for recordings, without a clock.
        alarm_rate, alarms_per_hour, tail, by: of the recipe's `score`.
        terms: names of the score's terms.
        window, hop: samples.
    """

    unit: str
    n: int
    attainable_rate: float
    attainable_per_hour: float | None
    alarm_rate: float
    alarms_per_hour: float | None
    tail: str | None
    by: str | None
    terms: tuple[str, ...]
    window: int
    hop: int


@dataclass(frozen=True)
class Info:
    """A model in figures.

    Attributes:
        path, size, sha256: the file, its bytes, and their digest.
        recipe: the whole recipe, plain values.
        channels, channel_names, rate, step, window: see `Model`; Hz, units of the data, samples.
        divisor: lengths must be multiples of this.
        parameters: numbers that were learned.
        conditions: values of each condition that it knows, by name.
        calibration: None where nothing was held back for it.
        training: figures of the training.
    """

    path: str
    size: int
    sha256: str
    recipe: dict[str, Any]
    channels: int
    channel_names: tuple[str, ...]
    rate: float | None
    step: float | None
    window: int
    divisor: int
    parameters: int
    conditions: dict[str, tuple[str, ...]]
    calibration: CalibrationInfo | None
    training: dict[str, Any]


def describe(run_or_file: Path) -> Info:
    """The figures of the model of a run, or in a file. Raises CheckpointError where there is no sound one."""
    model = Model.load(run_or_file)
    path = model_file(run_or_file)
    return Info(
        path=str(path),
        size=path.stat().st_size,
        sha256=sha256(path),
        recipe=model.recipe.model_dump(mode="json"),
        channels=model.channels,
        channel_names=model.channel_names,
        rate=model.rate,
        step=model.step,
        window=model.window,
        divisor=model.flow.divisor,
        parameters=sum(p.numel() for p in model.flow.parameters() if p.requires_grad),
        conditions=dict(model.classes.values),
        calibration=_calibration(model),
        training=dict(model.info),
    )


def _calibration(model: Model) -> CalibrationInfo | None:
    found = model.calibration
    if found is None:
        return None
    config, hourly = model.recipe.score, None
    if found.unit == "block" and model.rate:
        hourly = found.attainable_rate / event_hours(found, model.rate)
    return CalibrationInfo(
        unit=found.unit,
        n=len(found),
        attainable_rate=found.attainable_rate,
        attainable_per_hour=hourly,
        alarm_rate=config.alarm_rate,
        alarms_per_hour=config.alarms_per_hour,
        tail=config.tail,
        by=config.by,
        terms=found.terms,
        window=found.window,
        hop=found.hop,
    )
