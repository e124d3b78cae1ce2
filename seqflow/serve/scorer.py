"""What a child process does: an uploaded file to the rows of `seqflow score`, as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import __version__
from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..jobs.alarms import Alarms, score_config
from ..jobs.inputs import Input, open_input
from ..jobs.score import term_names
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import out_of_memory, repeatable, set_threads
from ..scoring import FileScore, score_recording
from ..scoring.sweep import track_names
from .child import Ready
from .confine import confine
from .limits import Limits


class _Excess(Exception):  # noqa: N818
    """A recording is longer than what is scored, or its per-sample scores than what is answered."""


class _Scored(NamedTuple):
    score: FileScore
    error: InputError | None


def start(file: str, device: str, limits: Limits) -> Ready:
    """The model in memory, and the work: a task to an answer.

    A task has `path`, `label`, `conditions`, `alarm_rate`, `samples` and `strict`. An answer has `status` (of
    HTTP), `code`, `body` (JSON as text), how many recordings were `scored`, their `values` and
    `seconds`, and `spent`, after which the process should be replaced.
    """
    set_threads(1)
    model = Model.load(file, device)
    if model.device.type == "cpu":
        confine(limits.memory)

    def work(task: Any) -> dict[str, Any]:
        with repeatable(model.device):
            return _answer(model, task, limits)

    return work, describe(model)


def describe(model: Model) -> dict[str, Any]:
    """What a client needs to know of the model."""
    calibration, data = model.calibration, model.recipe.data
    return {
        "recipe": model.recipe.name,
        "description": model.recipe.description,
        "version": __version__,
        "kind": "audio" if data.kind == "audio" else "series",
        "rate": model.rate,
        "step": model.step,
        "channels": model.channels,
        "channel_names": list(model.channel_names),
        "window": model.window,
        "conditions": {name: list(values) for name, values in model.classes.values.items()},
        "calibration": None
        if calibration is None
        else {
            "unit": calibration.unit,
            "n": len(calibration),
            "hop": calibration.hop,
            "terms": list(calibration.terms),
            "alarm_rate": model.recipe.score.alarm_rate,
            "attainable_alarm_rate": calibration.attainable_rate,
        },
    }


def _answer(model: Model, task: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    label, path = task["label"], task["path"]

    def refused(status: int, code: str, detail: str, *, spent: bool = False) -> dict[str, Any]:
        # Where the file lies is nobody's business.
        text = json.dumps({"code": code, "detail": detail.replace(path, label)})
        return {"status": status, "code": code, "body": text, "spent": spent}

    try:
        config = score_config(model, Alarms(task["alarm_rate"]))
        model.classes.check(task["conditions"])
    except UsageError as error:
        return refused(422, "unsuitable", str(error))
    try:
        found = _scores(model, config, task, limits)
    except InputError as error:
        return refused(422, error.code, error.detail)
    except _Excess as error:
        return refused(413, "too_long", str(error))
    except Exception as error:
        if not out_of_memory(error):
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return refused(500, "internal_error", reason)
        return refused(
            413, "out_of_memory", f"takes more than {limits.memory >> 20} MiB of memory to score", spent=True
        )
    errors = [one.error for one in found if one.error is not None]
    if errors and len(errors) == len(found):
        return refused(422, errors[0].code, errors[0].detail)
    scored = [one.score for one in found if one.score.scored]
    return {
        "status": 200,
        "code": "ok",
        "body": json.dumps({"scores": [_row(one.score, task["samples"]) for one in found]}, allow_nan=False),
        "scored": len(scored),
        "values": sum(one.samples for one in scored) * model.channels,
        "seconds": sum(one.duration or 0.0 for one in scored),
        "spent": False,
    }


def _scores(model: Model, config: ScoreConfig, task: Mapping[str, Any], limits: Limits) -> list[_Scored]:
    recordings = list(open_input(model, Input(task["label"], Path(task["path"])), strict=task["strict"]))
    length = sum(recording.length for recording in recordings)
    if length * model.channels > limits.values:
        most = limits.values // model.channels
        raise _Excess(f"has {length} samples, the most is {most}; cut it")
    if task["samples"]:
        tracks = len(track_names(term_names(model, config), model.calibration is not None))
        if length * tracks > limits.samples:
            most = limits.samples // tracks
            raise _Excess(
                f"has {length} samples, per-sample scores are given for up to {most}; cut it, or leave "
                "samples out"
            )
    return [_score(model, config, recording, task) for recording in recordings]


def _score(model: Model, config: ScoreConfig, recording: Recording, task: Mapping[str, Any]) -> _Scored:
    # Of the path, which is ours, nothing follows.
    recording.conditions = task["conditions"]
    try:
        score = score_recording(
            model.flow,
            recording,
            config,
            model.calibration,
            window=model.window,
            arrays=task["samples"],
        )
    except InputError as error:
        return _Scored(FileScore.failed(recording.name, error), error)
    return _Scored(score, None)


def _row(score: FileScore, samples: bool) -> dict[str, Any]:
    row = {key: _plain(value) for key, value in score.row().items()} | {"path": ""}
    if samples:
        row["tracks"] = {
            # As many digits as float32 has, which is what files of tracks hold.
            name: [_plain(float(f"{value:.9g}")) for value in track.tolist()]
            for name, track in (score.arrays or {}).items()
        }
    return row


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
