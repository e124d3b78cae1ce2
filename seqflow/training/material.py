"""What a training works on: windows to learn from, windows to validate on, recordings to calibrate with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..classes import Classes
from ..data.dataset import Windows
from ..data.recording import Recording, facts
from ..data.split import split_recordings
from ..errors import InputError, UsageError
from ..recipe import Recipe
from ..scoring.extract import resolve_hop
from ..scoring.fuse import attainable_rate, rate_text
from ..scoring.rates import HOUR
from ..scoring.tail import REACH
from ..scoring.units import expected


@dataclass(frozen=True)
class Material:
    """Data of a training.

    Attributes:
        train, valid: windows; those to train on are augmented.
        calibration: held-back normal recordings; may be none.
        fingerprint: hex digest of the contents and of their parting.
        channel_names: (C) names of the columns; () where channels have no names.
        rate: Hz; None for data without a clock.
        classes: values of the model's conditions in the training recordings.
        step: quantisation step that all training recordings share, units of the data; None for no such step.
        left_out: recordings that cannot be used, and why.
    """

    train: Windows
    valid: Windows
    calibration: Sequence[Recording]
    fingerprint: str
    channel_names: tuple[str, ...] = ()
    rate: float | None = None
    step: float | None = None
    classes: Classes = field(default_factory=Classes)
    left_out: Sequence[InputError] = field(default=())


def load_material(recipe: Recipe) -> Material:
    """The data that a recipe names, parted by its rules. Raises what `split_recordings` does."""
    parts = split_recordings(recipe)
    classes = Classes.of(recipe.model.condition, facts(parts.train, "conditions"))
    return Material(
        train=train_windows(recipe, parts.train, classes),
        valid=held_back_windows(recipe, parts.valid, classes),
        calibration=parts.calibration,
        fingerprint=parts.fingerprint,
        channel_names=parts.channel_names,
        rate=parts.rate,
        step=common_step(parts.train),
        classes=classes,
        left_out=parts.skipped,
    )


def train_windows(recipe: Recipe, recordings: Sequence[Recording], classes: Classes | None = None) -> Windows:
    """Windows to learn from, as the recipe cuts and augments them."""
    data = recipe.data
    return Windows(
        recordings,
        window=data.window,
        hop=data.hop or data.window,
        short=data.short,
        augment=data.augment,
        seed=recipe.seed,
        cache_mb=data.cache_mb if data.cache else 0,
        classes=classes,
        dropout=recipe.train.condition_dropout,
    )


def held_back_windows(
    recipe: Recipe, recordings: Sequence[Recording], classes: Classes | None = None
) -> Windows:
    """Windows to validate on: next to each other, unchanged."""
    data = recipe.data
    return Windows(
        recordings,
        window=data.window,
        hop=data.window,
        short=data.short,
        seed=recipe.seed,
        cache_mb=data.cache_mb if data.cache else 0,
        classes=classes,
    )


def condition_fault(material: Material) -> str | None:
    """A line on held-back recordings with values that no training recording has; None for none."""
    strange = [
        (recordings, index)
        for recordings in (material.valid.recordings, material.calibration)
        for index, conditions in enumerate(facts(recordings, "conditions"))
        if material.classes.unknown(conditions)
    ]
    if not strange:
        return None
    recordings, index = strange[0]
    first = material.classes.unknown(recordings[index].conditions)[0]
    count = f"{len(strange)} held-back recording{'s' * (len(strange) != 1)}"
    return f"data.conditions: of {count} not all values are known; first: {recordings[index].name}: {first}"


def common_step(recordings: Sequence[Recording]) -> float | None:
    """The quantisation step of all recordings, units of the data; None where one has none or another."""
    steps = {*facts(recordings, "step")}
    return steps.pop() if len(steps) == 1 else None


def calibration_fault(recipe: Recipe, material: Material) -> str | None:
    """Why the calibration will not promise the alarm rate, going by the lengths alone; None where it will.

    Found out before the training, not behind it.
    """
    config, window = recipe.score, recipe.data.window
    lengths = [length for length in facts(material.calibration, "length") if length >= window]
    if not lengths:
        return None  # another message says so
    hop = resolve_hop(config, window)
    hourly = config.alarms_per_hour
    unit: Literal["auto", "block"] = "auto" if hourly is None else "block"
    units = expected(lengths, window, hop, config.alarm_rate, unit)
    smallest = attainable_rate(len(units.places)) / (REACH if config.tail else 1)
    count = f"{len(units.places)} {units.kind}{'s' * (len(units.places) != 1)}"
    key, asked = "alarm_rate", config.alarm_rate
    if hourly is not None:
        if not material.rate:
            return (
                "score.alarms_per_hour: the data have no rate, so hours mean nothing to them; set data.rate"
            )
        key, asked = "alarms_per_hour", hourly
        smallest *= HOUR * material.rate / (units.per_unit * hop)
    if smallest <= asked * (1.0 + 1e-9):
        return None
    return (
        f"score.{key}: {asked:g} cannot be promised: the calibration data make {count}, enough for "
        f"{rate_text(smallest)}; raise data.split.calibration or the rate, or lower data.window"
    )


def check_material(recipe: Recipe, material: Material) -> None:
    """Raise UsageError where there is too little to train or to validate with."""
    window = recipe.data.window
    if not len(material.train):
        raise UsageError(
            f"data: no training recording is as long as a window of {window} samples; lower data.window, "
            "set data.short to pad, or add data"
        )
    if not len(material.valid):
        raise UsageError(
            f"data.split.valid: leaves no window of {window} samples to validate on; raise it, or add data"
        )
    if len(material.train) < recipe.train.batch:
        raise UsageError(
            f"train.batch: {recipe.train.batch} windows are more than the {len(material.train)} there are to "
            "train on; lower train.batch or data.hop, or add data"
        )
