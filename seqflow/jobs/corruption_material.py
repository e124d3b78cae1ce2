"""The recordings that are corrupted: normal ones of a folder that the model has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.recording import Recording
from ..data.split import split_recordings
from ..errors import InputError, SeqflowError, UsageError
from ..model import Model
from ..recipe.data import FileData
from .result_table import count_text
from .run_data import new_to
from .sample_material import of_folder
from .tsb_ad_series import spread

MOST_VALUES = 1 << 24
"""Most samples, over all channels, of a recording: it is held in memory as a whole."""


@dataclass(frozen=True)
class NormalRecordings:
    """What is there to corrupt.

    Attributes:
        used: recordings, sorted by name.
        found: how many there were to choose from.
        failed: recordings of the folder that cannot be used, and why.
        notes: lines on recordings that were passed over on purpose.
    """

    used: list[Recording]
    found: int
    failed: list[InputError]
    notes: list[str]


def gather_normal(model: Model, folder: Path, limit: int | None) -> NormalRecordings:
    """The recordings of a folder, at most `limit`, evenly spread.

    Passed over are those that the run was trained, validated or calibrated on, and those with a sample that a
    label calls anomalous. Raises UsageError for a limit below 2, and where no recording is left.
    """
    if limit is not None and limit < 2:
        raise UsageError(f"--limit {limit}: an area under the curve needs 2 recordings or more")
    found, failed = of_folder(model, folder)
    notes: list[str] = []
    new = new_to(_known(model, notes), found)
    if len(new) < len(found):
        passed = count_text(len(found) - len(new), "recording", "recordings")
        notes.append(f"{passed} passed over: the run was trained, validated or calibrated on them")
    normal = [one for one in new if not _anomalous(one)]
    if len(normal) < len(new):
        passed = count_text(len(new) - len(normal), "recording", "recordings")
        notes.append(f"{passed} passed over: labelled as anomalous")
    if not normal:
        raise UsageError(f"{folder}: holds no normal recording that is new to the run: {'; '.join(notes)}")
    used = spread(normal, limit)
    return NormalRecordings(used, len(normal), failed, notes)


def values_error(recording: Recording) -> InputError | None:
    """Why a recording cannot be held in memory as a whole; None where it can."""
    if recording.length * recording.channels <= MOST_VALUES:
        return None
    text = f"has more than {MOST_VALUES} samples; cut it to parts"
    return InputError(recording.path or recording.name, "too_large", text)


def _known(model: Model, notes: list[str]) -> list[Sequence[Recording]]:
    """The recordings that the run was made from, and are still there."""
    if not isinstance(model.recipe.data, FileData):
        return []
    try:
        parts = split_recordings(model.recipe)
    except SeqflowError as error:
        notes.append(f"not checked whether recordings are new to the run: its data cannot be opened: {error}")
        return []
    return [parts.train, parts.valid, parts.calibration]


def _anomalous(recording: Recording) -> bool:
    labels = recording.labels()
    return labels is not None and bool(labels.any())
