"""A recipe in a few lines, for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .data import AudioData, CommonData, FileData, SeriesData, SyntheticData
from .layers import LayerConfig, MultiScaleConfig, RepeatConfig, SqueezeConfig
from .recipe import Recipe


def summary(recipe: Recipe) -> list[tuple[str, str]]:
    """Names and values: what the recipe says of data, windows, parts, model, training, scores and samples."""
    rows = [("recipe", f"{recipe.name}: {recipe.description}" if recipe.description else recipe.name)]
    rows += [("data", _data(recipe.data)), ("windows", _windows(recipe.data)), ("parts", _parts(recipe.data))]
    if recipe.data.conditions:
        rows.append(("conditions", _conditions(recipe)))
    rows += [("layers", _layers(recipe.model.layers)), ("noise", recipe.model.base.kind)]
    rows += [("training", _training(recipe)), ("scores", _scores(recipe)), ("samples", _samples(recipe))]
    return rows


def missing(recipe: Recipe) -> str | None:
    """A line on the data that a sound recipe needs and that is not there, or None."""
    if not isinstance(recipe.data, FileData) or Path(recipe.data.root).is_dir():
        return None
    return f"data.root: {recipe.data.root}: no such folder here; give yours: --set data.root=PATH"


def _data(data: CommonData) -> str:
    match data:
        case SyntheticData():
            return f"made up ({data.generator}): {data.recordings} recordings of {data.seconds:g} s"
        case AudioData() | SeriesData():
            kind = "audio" if isinstance(data, AudioData) else "series"
            return f"{kind} below {data.root}: {data.manifest or ', '.join(data.files)}"
        case _:
            return type(data).__name__


def _windows(data: CommonData) -> str:
    span = f" ({data.window / data.rate:.3g} s)" if data.rate else ""
    rate = f"{data.rate:g} Hz" if data.rate else "the rate of the first recording"
    channels = ", ".join(map(str, data.channels)) if isinstance(data.channels, tuple) else data.channels
    return f"{data.window} samples{span}, every {data.hop or data.window}; {rate}; channels: {channels}"


def _parts(data: CommonData) -> str:
    split = data.split
    held = [("validation", split.valid), ("calibration", split.calibration), ("test", split.test)]
    texts = [
        f"{name} {part:.3g}" if isinstance(part, float) else f"{name} {', '.join(part)}"
        for name, part in held
        if part
    ]
    end = f" of the first {split.train_end:g}" if split.train_end is not None else ""
    return f"by {split.by}{end}: " + ("; ".join(texts) or "all for training")


def _conditions(recipe: Recipe) -> str:
    used = recipe.model.condition
    return ", ".join(
        name if name in used else f"{name} (not in the model)" for name in recipe.data.conditions
    )


def _layers(layers: Sequence[LayerConfig]) -> str:
    texts = []
    for layer in layers:
        match layer:
            case RepeatConfig():
                texts.append(f"{layer.times} x ({_layers(layer.layers)})")
            case MultiScaleConfig():
                texts.append(f"multi_scale ({' | '.join(map(_layers, layer.levels))})")
            case SqueezeConfig():
                texts.append(f"squeeze {layer.factor}")
            case _:
                taps = getattr(layer, "taps", None)
                texts.append(f"{layer.kind} {taps}" if taps else layer.kind)
    return ", ".join(texts)


def _training(recipe: Recipe) -> str:
    train = recipe.train
    seen = train.steps * train.batch
    return f"{train.steps} steps of {train.batch} windows ({seen} in all), learning rate {train.lr:g}"


def _scores(recipe: Recipe) -> str:
    score = recipe.score
    hop = score.hop or max(1, recipe.data.window // 2)
    hourly = score.alarms_per_hour
    rate = f"{score.alarm_rate:g}" if hourly is None else f"{hourly:g} an hour"
    tail = "" if score.tail is None else f"; {score.tail} tail"
    by = "" if score.by is None else f"; compared by {score.by}"
    return f"{', '.join(score.terms)}; a window every {hop}; false alarms {rate}{tail}{by}"


def _samples(recipe: Recipe) -> str:
    sample = recipe.sample
    if sample.seconds is not None:
        length = f"{sample.seconds:g} s"
    else:
        length = f"{sample.length or recipe.data.window} samples"
    return f"{sample.n} of {length}, temperature {sample.temperature:g}"
