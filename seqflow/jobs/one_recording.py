"""The one recording that a command works on: from a file, an array, or as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.open import open_recordings
from ..data.recording import ArrayRecording, Kind, Recording, Values
from ..errors import InputError, UsageError
from ..generation.latent import Given
from ..model import Model

Source = str | Path | Values | Recording

MOST_VALUES = 1 << 22
"""Most samples, over all channels, of a recording that is taken in one pass."""


def open_one(model: Model, source: Source) -> Recording:
    """The recording in a file, or an array (C, T) or (T,) in the units of the training data.

    Raises InputError for one that cannot be read or is of other channels than the model's, UsageError for a
    file of several recordings.
    """
    if isinstance(source, Recording):
        found = [source]
    elif isinstance(source, str | Path):
        found = open_recordings(
            source,
            model.recipe.data,
            name=Path(source).name,
            rate=model.rate,
            names=model.channel_names or None,
        )
    else:
        kind: Kind = "audio" if model.recipe.data.kind == "audio" else "series"
        names = model.channel_names
        array = ArrayRecording(source, kind=kind, rate=model.rate, step=model.step, channel_names=names)
        found = [array]
    if len(found) > 1:
        raise UsageError(f"{source}: has gaps: {len(found)} recordings; cut it to one of them")
    (recording,) = found
    if recording.channels != model.channels:
        text = f"has {recording.channels} channels, the model {model.channels}; choose another model"
        raise InputError(recording.path or recording.name, "wrong_channels", text)
    return recording


def known_conditions(model: Model, recording: Recording) -> dict[str, str]:
    """What is declared about the recording, as far as the model knows it."""
    return {
        name: value
        for name, value in recording.conditions.items()
        if value in model.classes.values.get(name, ())
    }


def whole(model: Model, recording: Recording) -> Given:
    """All of a recording, to be taken to noise in one pass.

    Raises InputError where it is too long for that, empty, or has missing samples.
    """
    where = recording.path or recording.name
    if recording.length * recording.channels > MOST_VALUES:
        text = f"has more than {MOST_VALUES} samples; cut it to the part that is wanted"
        raise InputError(where, "too_large", text)
    values, mask = recording.read(0, recording.length)
    if not values.shape[1]:
        raise InputError(where, "empty", "has no samples; leave it out")
    if not mask.all():
        missing = int(np.count_nonzero(~mask))
        text = f"{missing} samples are missing or not finite; fill them (see: seqflow inpaint)"
        raise InputError(where, "nonfinite", text)
    condition = model.classes.vector(known_conditions(model, recording)) if model.classes else None
    return Given(values, recording.step or 0.0, condition)
