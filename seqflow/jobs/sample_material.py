"""Real sequences that generated ones are judged by: held out, of the training data, and others of those.

Shapes: windows (N, C, T) in the units of the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.discover import expand
from ..data.open import open_recordings
from ..data.recording import Recording
from ..data.split import split_recordings
from ..errors import InputError, SeqflowError, UsageError
from ..model import Model
from .run_data import new_to

Array = NDArray[np.floating[Any]]

_WHOLE = 1 << 22
_EVERY = 5


@dataclass(frozen=True)
class Windows:
    """Sequences of one length cut from recordings.

    Attributes:
        x: (N, C, T) float32.
        which: (N,) the recording of each.
        spans: (N, 2) where each begins and ends, as fractions of the recording.
        conditions: what is declared about each recording.
    """

    x: NDArray[np.float32]
    which: NDArray[np.int64]
    spans: NDArray[np.float32]
    conditions: tuple[Mapping[str, str], ...]

    def __len__(self) -> int:
        return len(self.x)

    def of_each(self) -> list[Mapping[str, str]]:
        """What is declared about each window."""
        return [self.conditions[index] for index in self.which]


@dataclass(frozen=True)
class Material:
    """Recordings by what they are for; none is in two of them.

    Attributes:
        real: held out from the training: what generated sequences are compared with.
        floor: other real ones, which are compared with those in the same way.
        train: of the training data, without `floor`; empty where they cannot be had.
        real_name, floor_name: where they come from.
        notes: what could not be used, and why.
    """

    real: list[Recording]
    floor: list[Recording]
    train: list[Recording]
    real_name: str
    floor_name: str
    notes: tuple[str, ...]


def gather(model: Model, folder: Path | None, length: int) -> Material:
    """The material for a model: its recipe's test recordings, or those of `folder`, and its training data.

    A recipe without test data gives what it holds back to calibrate and to validate. Of the training
    recordings every fifth, or of fewer than five the last fifth of each, is the floor; where the training
    data cannot be had, half of the held-out recordings, or the later half of the only one.

    Raises UsageError where no held-out recording is as long as a sequence, and what `split_recordings` raises
    where no folder is given.
    """
    notes: list[str] = []
    train: Sequence[Recording] = []
    real: Sequence[Recording]
    if folder is None:
        parts = split_recordings(model.recipe)
        train = parts.train
        real, real_name = parts.test, "test recordings of the recipe"
        if not any(one.length >= length for one in real):
            real = [*parts.calibration, *parts.valid]
            real_name = "recordings that the recipe holds back to calibrate and to validate"
    else:
        real, faults = of_folder(model, folder)
        real_name = f"recordings of {folder}"
        if faults:
            notes.append(f"{len(faults)} recordings left out; first: {faults[0]}")
        try:
            train = split_recordings(model.recipe).train
        except SeqflowError as error:
            notes.append(f"without the training data: {error}")
        kept = new_to([train], real)
        if len(kept) < len(real):
            notes.append(
                f"{len(real) - len(kept)} recordings of {folder} left out: the model was trained on them"
            )
        real = kept
    real = [one for one in real if one.length >= length]
    if not real:
        raise UsageError(
            f"benchmark samples: no held-out recording has {length} samples; give a folder of others, or a "
            "shorter --length"
        )
    train = [one for one in train if one.length >= length]
    if train:
        train, floor = _parted(train, length, 1.0 / _EVERY)
        return Material(real, floor, train, real_name, "other training recordings", tuple(notes))
    real, floor = _parted(real, length, 0.5)
    return Material(real, floor, [], real_name, "the other half of them", tuple(notes))


def of_folder(model: Model, folder: Path) -> tuple[list[Recording], list[InputError]]:
    """The recordings in a folder that are of the model's channels and rate, and why others cannot be used.

    Raises UsageError where none can be used.
    """
    faults: list[InputError] = []
    found: list[Recording] = []
    for path in expand([folder], model.recipe.data, faults.append):
        try:
            opened = open_recordings(
                path, model.recipe.data, rate=model.rate, names=model.channel_names or None
            )
        except InputError as error:
            faults.append(error)
            continue
        for one in opened:
            if (one.channels, one.rate) == (model.channels, model.rate):
                found.append(one)
            else:
                text = "has other channels or another rate than the model"
                faults.append(InputError(one.path, "wrong_channels", text))
    if not found:
        raise UsageError(f"{folder}: no recording can be used; first: {faults[0]}")
    return found, faults


def cut(recordings: Sequence[Recording], length: int, limit: int) -> Windows:
    """At most `limit` windows of `length` samples, spread evenly over all places in the recordings.

    Windows with a sample that is missing, or that a label calls anomalous, are left out.
    """
    places = np.array([max(0, one.length - length + 1) for one in recordings], dtype=np.int64)
    ends = places.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    count = min(limit, total)
    chosen = (2 * np.arange(count) + 1) * total // (2 * max(count, 1))
    found = np.searchsorted(ends, chosen, side="right")
    starts = chosen - (ends - places)[found]
    values: list[NDArray[np.float32]] = []
    which: list[int] = []
    spans: list[tuple[float, float]] = []
    for index in np.unique(found).tolist():
        whole = recordings[index].length
        for start, window in _cut(recordings[index], starts[found == index], length):
            values.append(window)
            which.append(index)
            spans.append((start / whole, (start + length) / whole))
    channels = recordings[0].channels if recordings else 1
    x = np.stack(values) if values else np.zeros((0, channels, length), np.float32)
    return Windows(
        x,
        np.array(which, np.int64),
        np.array(spans, np.float32).reshape(-1, 2),
        tuple(one.conditions for one in recordings),
    )


def stretches(recordings: Sequence[Recording], length: int, most: int) -> list[Array]:
    """Samples (C, L) of recordings, L at least `length`, of at most about `most` numbers in all.

    Where there are more, pieces of 64 windows spread evenly over the recordings.
    """
    total = sum(one.length * one.channels for one in recordings)
    pieces = [
        (one, start, min(one.length, start + 64 * length))
        for one in recordings
        for start in range(0, one.length, 64 * length)
        if min(one.length, start + 64 * length) - start >= length
    ]
    if total > most:
        count = max(1, int(len(pieces) * most / total))
        pieces = [pieces[(2 * i + 1) * len(pieces) // (2 * count)] for i in range(count)]
    else:
        pieces = [(one, 0, one.length) for one in recordings if one.length >= length]
    return [np.asarray(one.read(start, stop - start).values) for one, start, stop in pieces]


def labelled(recordings: Sequence[Recording], pattern: str | None) -> None:
    """Give recordings the condition `label`: the first group, or all, of a match of their names.

    None gives none. Raises UsageError for an expression that is not one, or that no name matches.
    """
    if pattern is None:
        return
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--label-pattern {pattern}: is not a regular expression: {error}") from None
    count = 0
    for recording in recordings:
        match = expression.search(Path(recording.name).name)
        if match is not None:
            value = match.group(1) if expression.groups else match.group()
            recording.conditions = {**recording.conditions, "label": value or ""}
            count += 1
    if not count:
        raise UsageError(
            f"--label-pattern {pattern}: matches the name of no recording, such as {recordings[0].name}"
        )


def _parted(
    recordings: list[Recording], length: int, share: float
) -> tuple[list[Recording], list[Recording]]:
    """Most of them, and about a share of them spread evenly: whole ones, or the end of each where few."""
    every = round(1.0 / share)
    if len(recordings) >= every:
        return (
            [one for index, one in enumerate(recordings) if index % every != every - 1],
            [one for index, one in enumerate(recordings) if index % every == every - 1],
        )
    first, second = [], []
    for one in recordings:
        middle = max(length, min(round(one.length * (1.0 - share)), one.length - length))
        if one.length - middle < length:
            first.append(one)
            continue
        first.append(one.part(0, middle))
        second.append(one.part(middle, one.length))
    return first, second


def _cut(
    recording: Recording, starts: NDArray[np.int64], length: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """First sample and samples (C, T) of the windows that are whole and normal."""
    labels = recording.labels()
    whole = recording.read(0, recording.length) if recording.length <= _WHOLE else None
    for start in starts.tolist():
        if whole is not None:
            values, mask = (one[:, start : start + length] for one in whole)
        else:
            values, mask = recording.read(start, length)
        bad = labels is not None and bool(labels[start : start + length].any())
        if values.shape[1] == length and mask.all() and not bad:
            yield start, np.array(values, np.float32)
