"""One series of TSB-AD: read, scored, judged and stored, in a process that may die of it.

    OUT/samples/NAME.npy    a record for each point, with a float32 field for each track
    OUT/results/NAME.json   its row, and digests of what it was made from

What is judged is what is stored: the same figures come from the file of scores.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..detector import Detect, Detected
from ..errors import InputError, SeqflowError
from ..files import atomic, make_folder, write_text
from ..metrics import estimate_window, pr_area, roc_area, runs, vus
from ..runtime import out_of_memory, set_threads
from .pool_child import Work
from .score import output_path
from .stored import content_of, result_path
from .tsb_ad_row import SeriesRow
from .tsb_ad_series import group_of, read_series, source_of
from .tsb_ad_settings import plain


class Task(NamedTuple):
    """A series to judge. `train`: points to fit on, None for all; `window`: None to estimate it."""

    name: str
    train: int | None
    window: int | None


class Place(NamedTuple):
    """Where series lie and where results go, with what results are known by: see `key_of`."""

    folder: str
    out: str
    key: str
    protocol: str
    settings: dict[str, Any]


def start(detect: Detect, place: Place) -> Work:
    """The work of one process: a task to the row of its series."""
    set_threads(1)
    threadpool_limits(1)

    def work(task: Any) -> Any:
        return judge(detect, place, Task(*task)).plain()

    return work


def judge(detect: Detect, place: Place, task: Task) -> SeriesRow:
    """The row of a series; where it has figures, they and the scores are stored.

    Raises ResourceError where they cannot be written, and other failures that concern all series.
    """
    path = Path(place.folder, task.name)
    try:
        content = content_of(path)
        row, scores = _judged(detect, path, task, place.protocol != "prefix")
        if content_of(path) != content:
            raise InputError(path, "changed", "changed while it was read; run it again")
    except InputError as error:
        return SeriesRow.failed(task.name, source_of(task.name), error)
    except SeqflowError:
        raise
    except Exception as error:
        code = "out_of_memory" if out_of_memory(error) else "internal_error"
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return SeriesRow.failed(task.name, source_of(task.name), InputError(path, code, text))
    _store(place, task, content, row, scores)
    return row


def done_before(place: Place, task: Task) -> SeriesRow | None:
    """The row of an earlier run with the same input, detector, protocol and window, if nothing is missing."""
    stored_at = result_path(Path(place.out), task.name)
    if not stored_at.exists():
        return None
    try:
        stored = json.loads(stored_at.read_bytes())
        if (stored["key"], stored["task"]) != (place.key, list(task)):
            return None
        if tuple(stored["content"]) != content_of(Path(place.folder, task.name)):
            return None
        # After a kill, the scores may be those of a later run than the row.
        scores = scores_path(Path(place.out), task.name).read_bytes()
        if stored["scores"] != hashlib.sha256(scores).hexdigest():
            return None
        return SeriesRow(**stored["row"])
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None


def scores_path(out: Path, name: str) -> Path:
    """Where the scores of a series lie."""
    return output_path(out / "samples", name)


def _judged(detect: Detect, path: Path, task: Task, whole: bool) -> tuple[SeriesRow, bytes]:
    values, labels, filled = read_series(path)
    length = len(labels)
    if task.train is not None and task.train > length:
        raise InputError(path, "no_prefix", f"is to be fitted on {task.train} points and has {length}")
    if labels.all() or not labels.any():
        kind = "anomalous" if labels.any() else "normal"
        raise InputError(path, "one_kind", f"every point is labelled {kind}: nothing can be told apart")
    begin = time.perf_counter()
    # A copy: what a detector does to it must not reach the window.
    found = detect(values.copy(), task.train, whole)
    seconds = time.perf_counter() - begin
    tracks = _checked(path, found, length)
    window = estimate_window(values[0]) if task.window is None else task.window
    row = SeriesRow(
        name=task.name,
        source=source_of(task.name),
        points=length,
        channels=len(values),
        train=task.train,
        anomalous=int(labels.sum()),
        events=len(runs(labels)),
        group=group_of(labels),
        filled=filled,
        window=window,
        window_from="autocorrelation" if task.window is None else "table",
        seconds=seconds,
        fit_seconds=float(found.fit_seconds),
        score_seconds=float(found.score_seconds),
        measures={name: _measures(track, labels, window) for name, track in tracks.items()},
        notes=_without_nan(plain(found.notes)),
    )
    file = io.BytesIO()
    records = np.empty(length, [(name, "<f4") for name in tracks])
    for name, track in tracks.items():
        records[name] = track
    np.save(file, records, allow_pickle=False)
    return row, file.getvalue()


def _checked(path: Path, found: Detected, length: int) -> dict[str, NDArray[np.float32]]:
    """The tracks as they are stored. Raises InputError `bad_scores` where they are no scores."""
    if not found.tracks:
        raise InputError(path, "bad_scores", "the detector gave no track")
    if not (math.isfinite(found.fit_seconds) and math.isfinite(found.score_seconds)):
        raise InputError(path, "bad_scores", "the detector gave times that are not finite")
    tracks = {}
    for name, track in found.tracks.items():
        if np.shape(track) != (length,):
            raise InputError(
                path, "bad_scores", f"track {name}: shape {np.shape(track)} for a series of {length} points"
            )
        with np.errstate(over="ignore"):
            tracks[name] = np.asarray(track).astype(np.float32)
        bad = int((~np.isfinite(tracks[name])).sum())
        if bad:
            raise InputError(path, "bad_scores", f"track {name}: {bad} of {length} scores are not finite")
    return tracks


def _measures(track: NDArray[np.float32], labels: NDArray[np.bool_], window: int) -> dict[str, float]:
    volume = vus(track, labels, window)
    return {
        "vus_pr": volume.pr,
        "vus_roc": volume.roc,
        "auc_pr": pr_area(track, labels),
        "auc_roc": roc_area(track, labels),
    }


def _store(place: Place, task: Task, content: tuple[str, ...], row: SeriesRow, scores: bytes) -> None:
    out = Path(place.out)
    at, row_at = scores_path(out, task.name), result_path(out, task.name)
    make_folder(at.parent)
    make_folder(row_at.parent)
    with atomic(at) as file:
        file.write(scores)
    stored = {
        "key": place.key,
        "protocol": place.protocol,
        "settings": place.settings,
        "content": content,
        "task": task,
        "scores": hashlib.sha256(scores).hexdigest(),
        "row": row.plain(),
    }
    write_text(row_at, json.dumps(stored, indent=1, allow_nan=False) + "\n")


def _without_nan(value: Any) -> Any:
    """The value with null for numbers that JSON lacks."""
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
