"""Series for detection without a model: read from any file, its missing values filled in, its state named.

Shapes: values, mask (C, T).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.filling import fill_lines
from ..data.open import AUDIO_SUFFIXES, open_recordings
from ..data.recording import Mask, Recording
from ..errors import InputError
from ..recipe.data import SeriesData
from ..recipe.run import ScoreConfig
from ..scoring.states import StateTracker, Verdict
from .detect_span import LEAST

Floats = NDArray[np.float64]

MOST_VALUES = 1 << 25
"""Most samples, over all channels, of a series: it is held in memory as float64, several times over."""

_BLOCK = 1 << 16
_OPTIONS = {"data.columns": "--column", "data.label": "--label"}


class Prepared(NamedTuple):
    """A series that can be fitted.

    Attributes:
        values: (C, T), finite, without the channels that have no value at all.
        mask: (C, T), true where the file has a value.
        names: (C) of the channels.
        empty: names of the channels that were left out.
        verdict: the state; where it is not `scored`, nothing is to be fitted.
    """

    values: Floats
    mask: Mask
    names: tuple[str, ...]
    empty: tuple[str, ...]
    verdict: Verdict


def open_one_series(
    path: Path, name: str, columns: Sequence[str] | None = None, label: str | None = None
) -> Recording:
    """The series in a file, gaps in its time filled with missing samples; time stamps are kept.

    Raises InputError where it cannot be read, and `wrong_channels` where columns of an audio file are asked
    for.
    """
    if columns and path.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(path, "wrong_channels", "is audio, which has no columns to choose; leave them out")
    config = SeriesData(
        kind="series",
        root=".",
        window=2,
        step=0.0,
        irregular="mask",
        columns=tuple(columns) if columns else None,
        label=label,
    )
    try:
        (recording,) = open_recordings(path, config, name=name, times=True)
    except InputError as error:
        detail = error.detail
        for key, option in _OPTIONS.items():
            detail = detail.replace(key, option)
        raise InputError(error.path, error.code, detail) from None
    return recording


def prepare(recording: Recording) -> Prepared:
    """All of a recording in memory. Raises InputError `too_large`, and what reading raises."""
    where = recording.path or recording.name
    if recording.length * recording.channels > MOST_VALUES:
        text = f"has more than {MOST_VALUES} values; cut it to the part that is wanted"
        raise InputError(where, "too_large", text)
    blocks = list(recording.blocks(_BLOCK))
    values = np.concatenate([b.values for b in blocks] or [np.empty((recording.channels, 0))], axis=1)
    mask = np.concatenate([b.mask for b in blocks] or [np.empty((recording.channels, 0), bool)], axis=1)
    names = recording.channel_names or tuple(map(str, range(recording.channels)))
    kept: Mask = np.asarray(mask.any(axis=1))
    if not kept.any():
        kept[:] = True  # nothing is left: the state says so
    values, mask = values[kept], mask[kept]
    left = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
    empty = tuple(name for name, keep in zip(names, kept, strict=True) if not keep)
    states = StateTracker(len(values), recording.kind == "audio", _silence(), left)
    states.add(values, mask)
    verdict = states.verdict(LEAST, 1, (recording.status, recording.detail))
    return Prepared(fill_lines(values, mask), mask, left, empty, verdict)


def disturbed(mask: Mask, longest: int, shortest: int) -> Mask:
    """(T,) -> (T,): missing samples, and those so near to a run of them that it fills a quarter or more of
    windows which cover them.

    Such a window, of a length from `shortest` to `longest`, tells of the line that was drawn, not of the
    series.
    """
    missing = np.concatenate([[0], (~mask).astype(np.int8), [0]])
    change = np.diff(missing)
    found = ~mask
    for begin, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
        reach = min(4 * int(end - begin), longest)
        if reach >= shortest:
            found[max(0, begin - reach) : end + reach] = True
    return found


def _silence() -> float:
    return float(ScoreConfig.model_fields["silence_db"].default)
