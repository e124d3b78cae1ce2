"""Faults between the parts of a recipe: does the window fit the layers, do the channels.

What only the data can tell (the number of channels of a file) is checked where the model is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .base import Problem
from .data import CommonData, FileData
from .layers import (
    AffineCouplingConfig,
    CausalConvConfig,
    CircularConvConfig,
    ConvCouplingConfig,
    LayerConfig,
    MultichannelConvConfig,
    MultiScaleConfig,
    RepeatConfig,
    SplineCouplingConfig,
    SqueezeConfig,
    SymmetricConvConfig,
    WhiteningConfig,
)
from .model import ModelConfig
from .nearest import nearest
from .run import SampleConfig, ScoreConfig

Path = tuple[str | int, ...]
Shape = tuple[int | None, int]
"""Channels, None where only the data can tell, and steps of a window."""


def between_parts(
    data: CommonData | None = None,
    model: ModelConfig | None = None,
    score: ScoreConfig | None = None,
    sample: SampleConfig | None = None,
) -> Iterator[Problem]:
    """Faults between the parts that are given: the path of the key to blame, and what is wrong."""
    if data is not None and score is not None and score.hop is not None and score.hop > data.window:
        yield (
            ("score", "hop"),
            f"is longer than the window of {data.window}: samples in between would be lost",
        )
    if data is not None and score is not None and score.by is not None and score.by not in data.conditions:
        yield ("score", "by"), _unknown_condition(data, score.by)
    if model is None:
        return
    if data is not None:
        yield from _conditions(data, model)
    factor = model.divisor
    if sample is not None and sample.length is not None and sample.length % factor:
        yield ("sample", "length"), _multiple(sample.length, factor)
    if data is None:
        return
    if data.window % factor:
        yield ("data", "window"), _multiple(data.window, factor)
        return
    found: dict[Path, str] = {}
    _through(model.layers, ("model", "layers"), (_channels(data), data.window), found)
    yield from found.items()


def _conditions(data: CommonData, model: ModelConfig) -> Iterator[Problem]:
    for index, name in enumerate(model.condition):
        if name not in data.conditions:
            yield ("model", "condition", index), _unknown_condition(data, name)


def _unknown_condition(data: CommonData, name: str) -> str:
    near = nearest(name, data.conditions)
    known = f"there are {', '.join(data.conditions)}" if data.conditions else "it names none"
    hint = f"nearest '{near}'" if near else known
    return f"is not in data.conditions; {hint}"


def _multiple(length: int, factor: int) -> str:
    below, above = length // factor * factor, -(-length // factor) * factor
    nearest = f"{below} or {above}" if below else f"{above}"
    return f"must be a multiple of {factor}, the product of the squeeze factors; nearest {nearest}"


def _channels(data: CommonData) -> int | None:
    if isinstance(data.channels, tuple):
        return len(data.channels)
    if data.channels in ("mono", "first"):
        return 1
    columns = getattr(data, "columns", None) if isinstance(data, FileData) else None
    return len(columns) if columns else None


def _through(layers: Sequence[LayerConfig], path: Path, shape: Shape, found: dict[Path, str]) -> Shape:
    """Shape behind the layers; adds what is wrong on the way to `found`, one message for a key."""
    for index, layer in enumerate(layers):
        shape = _behind(layer, (*path, index), shape, found)
    return shape


def _behind(layer: LayerConfig, path: Path, shape: Shape, found: dict[Path, str]) -> Shape:
    channels, steps = shape
    match layer:
        case SqueezeConfig():
            return (None if channels is None else channels * layer.factor), steps // layer.factor
        case RepeatConfig():
            for _ in range(layer.times):
                shape = _through(layer.layers, (*path, "layers"), shape, found)
            return shape
        case MultiScaleConfig():
            return _levels(layer, path, shape, found)
        case ConvCouplingConfig() | AffineCouplingConfig() | SplineCouplingConfig():
            if channels == 1:
                found[*path, "kind"] = "needs at least 2 channels and gets 1; put a squeeze before it"
        case _:
            pass
    match layer:
        case (
            WhiteningConfig(taps=int(taps))
            | CircularConvConfig(taps=taps)
            | SymmetricConvConfig(taps=taps)
            | CausalConvConfig(taps=taps)
            | MultichannelConvConfig(taps=taps)
            | ConvCouplingConfig(taps=taps, conv=True)
        ) if taps > steps:
            found[*path, "taps"] = f"are more than the {steps} steps that a window has here"
        case _:
            pass
    return shape


def _levels(layer: MultiScaleConfig, path: Path, shape: Shape, found: dict[Path, str]) -> Shape:
    """Behind each level but the last, half of the channels leave; at the end all meet at the lowest rate."""
    channels, steps = shape
    first = shape
    for index, level in enumerate(layer.levels):
        channels, steps = _through(level, (*path, "levels", index), (channels, steps), found)
        if index < len(layer.levels) - 1 and channels is not None:
            if channels == 1:
                found[*path, "levels", index] = (
                    "leaves 1 channel, which cannot be halved; squeeze in this level"
                )
            channels = (channels + 1) // 2
    total = None if first[0] is None else first[0] * first[1] // steps
    return total, steps
