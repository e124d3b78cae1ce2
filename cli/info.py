"""`seqflow info`: what a trained model is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import console
from .options import JsonOption, RunArgument, examples

if TYPE_CHECKING:
    from seqflow.jobs.info import CalibrationInfo, Info

EXAMPLES = examples("seqflow info runs/toy/sine", "seqflow info runs/toy/sine/best.safetensors --json")


def info(run: RunArgument, json: JsonOption = False) -> None:
    """Tell what a model is: recipe, size, figures, calibration."""
    from seqflow.jobs.info import describe

    found = describe(run)
    if json:
        console.say_json(found)
        return
    console.pairs(_rows(found))


def _rows(found: Info) -> Iterator[tuple[str, str]]:
    from seqflow.scoring.fuse import rate_text

    recipe = found.recipe
    yield "model", f"{found.path}, {found.size} bytes"
    yield "sha256", found.sha256
    yield "recipe", ": ".join(filter(None, [recipe["name"], recipe["description"]]))
    rate = f"{found.rate:g} Hz" if found.rate else "no rate"
    names = f" ({', '.join(found.channel_names)})" if found.channel_names else ""
    step = f"step {found.step:g}" if found.step else "no common step"
    yield "takes", f"{_count(found.channels, 'channel')}{names}, {rate}, {step}, multiples of {found.divisor}"
    yield "window", f"{found.window} samples"
    yield "parameters", f"{found.parameters:,}"
    for name, values in found.conditions.items():
        yield f"condition {name}", f"{_count(len(values), 'value')}: {', '.join(values)}"
    calibration = found.calibration
    if calibration is None:
        yield "calibration", "none: scores have no p-values"
    else:
        yield (
            "calibration",
            f"{_count(calibration.n, calibration.unit)}; terms {', '.join(calibration.terms)}",
        )
        yield (
            "alarms",
            f"{_accepted(calibration)} (by the recipe); from {rate_text(calibration.attainable_rate)} per "
            f"{calibration.unit}{_hourly(calibration)} on can be promised",
        )
    training = dict(found.training)
    training.pop("parameters", None)  # above
    if "trained_steps" in training:
        training["steps"] = f"{training.pop('trained_steps')}; the model is that of step {training['steps']}"
    for name, value in training.items():
        yield name.replace("_", " "), _figure(value)


def _accepted(calibration: CalibrationInfo) -> str:
    if calibration.alarms_per_hour is not None:
        text = f"at most {calibration.alarms_per_hour:g} false ones per hour"
    else:
        text = f"at most {calibration.alarm_rate:g} false ones per {calibration.unit}"
    text += f", compared by {calibration.by}" if calibration.by else ""
    return text + (f", {calibration.tail} tail" if calibration.tail else "")


def _hourly(calibration: CalibrationInfo) -> str:
    from seqflow.scoring.fuse import rate_text

    least = calibration.attainable_per_hour
    return "" if least is None else f", {rate_text(least)} per hour"


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_figure(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_figure, value))
    return "-" if value is None else str(value)
