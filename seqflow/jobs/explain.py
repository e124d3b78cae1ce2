"""Why a recording is unusual: what an interval of it should have looked like, which channels and octaves.

Shapes: sequences (C, T) in the units of the training data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.recording import ArrayRecording, Recording
from ..errors import InputError, UsageError
from ..explanation import SurpriseMap, channel_shares, material, nearest_normal, surprise_map
from ..files import make_folder, write_text
from ..model import Model
from ..runtime import repeatable
from ..scoring import FileScore, score_recording
from .alarms import score_config
from .inpaint import interval
from .one_recording import Source, open_one
from .room import check_disk
from .sample import file_form
from .writers import column_names, write_array, write_sequence

NORMAL, RESIDUAL, MAP, REPORT, FIGURE = (
    "nearest-normal",
    "residual",
    "surprise.npy",
    "explanation.json",
    "explanation.png",
)
# Windows on either side of the interval that are looked at, and samples that are always.
_AROUND, _LEAST_AROUND = 8, 1 << 15
_BYTES = 24


@dataclass(frozen=True)
class Explanation:
    """What an interval of a recording should have looked like.

    Attributes:
        name: of the recording.
        start, stop: the interval, samples; stop is not part of it.
        begin, end: the same in seconds; samples without a rate.
        before, after: score, p-value and alarm of the whole recording as it is, and with the nearest normal
            sequence in the interval; `height` is the highest `place` of the interval, 1 is high for a normal
            window.
        channels: shares in what is unusual about the interval, by name, the largest first.
        change: root mean square of the residual, in that of the recording within the interval about its mean.
        octaves: (bands + 1) edges of the octaves of the map, Hz; cycles a sample without a rate.
        map_start, map_hop: sample of the first frame of the map, and samples from frame to frame.
        steps: of the descent.
        blank: whether what the interval holds had no influence.
        beyond: samples beyond full scale: cut to it in 16-bit files, kept in files of floats.
        paths: the files.
    """

    name: str
    start: int
    stop: int
    begin: float
    end: float
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    channels: Mapping[str, float]
    change: float
    octaves: tuple[float, ...]
    map_start: int
    map_hop: int
    steps: int
    blank: bool
    beyond: int
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Explained:
    """An explanation with its arrays.

    Attributes:
        recorded, normal: (C, T) the recording, NaN where it is missing, and the nearest normal sequence.
        before, after: their scores, with per-sample arrays.
        shares: (C,) of the channels.
        map: surprise by octave and time, from sample `map_start` on.
        start, stop: the interval, samples.
    """

    recorded: np.ndarray[Any, np.dtype[np.float64]]
    normal: np.ndarray[Any, np.dtype[np.float64]]
    before: FileScore
    after: FileScore
    shares: np.ndarray[Any, np.dtype[np.float64]]
    map: SurpriseMap
    map_start: int
    start: int
    stop: int
    steps: int


def explain(
    model: Model,
    source: Source,
    *,
    begin: float | None = None,
    end: float | None = None,
    blank: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Explained:
    """What the worst interval of a recording, or the one from `begin` to `end`, should have looked like.

    `source` is a file, an array (C, T) or (T,), or a `Recording`; `begin` and `end` are seconds, samples
    without a rate, and come together. See `explanation.nearest_normal` for `blank` and the method,
    `explanation.channel_shares` and `explanation.surprise_map` for the rest. Outside of the interval and its
    cross-fade the nearest normal sequence is the recording, to the bit. `on_progress` gets steps done and
    all.

    Raises InputError for a recording that cannot be read or is in a state without a score, UsageError for
    arguments out of range and models without a calibration.
    """
    if (begin is None) != (end is None):
        raise UsageError("explain: --from and --to come together; give both or none")
    recording = open_one(model, source)
    config = score_config(model)
    with repeatable(model.device):
        before = _scored(model, recording)
        if not before.scored:
            detail = before.detail or "has no score"
            raise InputError(recording.path or recording.name, before.status, f"{detail}; nothing to explain")
        start, stop = _interval(recording, before, begin, end)
        around = max(_AROUND * model.window, _LEAST_AROUND)
        # On the grid of the windows, so that they are the ones that were scored.
        hop = model.calibration.hop if model.calibration is not None else 1
        low = max(0, start - around) // hop * hop
        high = min(recording.length, stop + around)
        given = material(model.flow, recording, config, model.calibration, low, high)
        inside = start - low, stop - low
        steps = before.arrays["place"][start:stop] if before.arrays is not None else np.zeros(1)
        peak = inside[0] + (int(np.nanargmax(steps)) if np.isfinite(steps).any() else 0)
        seen = surprise_map(given)
        shares = channel_shares(given, *inside, peak)
        found = nearest_normal(given, *inside, blank=blank, on_progress=on_progress)
        block = recording.read(0, recording.length)
        recorded = np.where(block.mask, block.values, np.nan).astype(np.float64)
        normal = recorded.copy()
        changed = slice(low + found.begin, low + found.end)
        made = found.values[:, found.begin : found.end]
        if recording.step:
            made = np.floor(made / recording.step) * recording.step
        normal[:, changed] = np.where(block.mask[:, changed], made, np.nan)
        # In the dtype of the files: what is scored is what is written.
        normal = normal.astype(np.float32).astype(np.float64)
        after = _scored(model, _like(recording, normal))
    return Explained(recorded, normal, before, after, shares, seen, low, start, stop, found.steps)


def write_explanation(
    model: Model,
    source: Source,
    out: Path,
    *,
    begin: float | None = None,
    end: float | None = None,
    blank: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Write `explain` to the folder `out`.

    `nearest-normal` and `residual` (recording - nearest normal) are WAV for audio, 16-bit where the recording
    has such steps, CSV and .npy (T, C) for sensors; `surprise.npy` (bands, frames), `explanation.json` and
    `explanation.png`. Same arguments, same bytes. Raises as `explain`, and ResourceError where a file cannot
    be written.
    """
    from .explain_figure import explanation_figure

    recording = open_one(model, source)
    found = explain(model, recording, begin=begin, end=end, blank=blank, on_progress=on_progress)
    check_disk(out, 2, _BYTES * found.recorded.size, "sequences")
    make_folder(out)
    names = column_names(recording.channel_names or model.channel_names, model.channels)
    paths: list[Path] = []
    beyond = 0
    residual = found.recorded - found.normal
    for stem, values in ((NORMAL, found.normal), (RESIDUAL, residual)):
        written, cut = write_sequence(
            out,
            stem,
            values.astype(np.float32),
            form=file_form(model),
            names=names,
            rate=model.rate,
            step=recording.step,
        )
        paths += written
        beyond += cut
    write_array(out / MAP, found.map.values.T)
    explanation_figure(recording, found, out / FIGURE, names=names)
    unit = recording.rate or 1.0
    within = slice(found.start, found.stop)
    order = np.argsort(-found.shares, kind="stable")
    made = Explanation(
        name=recording.name,
        start=found.start,
        stop=found.stop,
        begin=found.start / unit,
        end=found.stop / unit,
        before=_judged(found.before, within),
        after=_judged(found.after, within),
        channels={names[index]: float(found.shares[index]) for index in order},
        change=_ratio(residual[:, within], found.recorded[:, within]),
        octaves=tuple(float(edge * unit) for edge in found.map.edges),
        map_start=found.map_start,
        map_hop=found.map.hop,
        steps=found.steps,
        blank=blank,
        beyond=beyond,
        paths=(*paths, out / MAP, out / REPORT, out / FIGURE),
    )
    document = {**asdict(made), "paths": [path.name for path in made.paths]}
    write_text(out / REPORT, json.dumps(document, indent=1, allow_nan=False) + "\n")
    return made


def _scored(model: Model, recording: Recording) -> FileScore:
    return score_recording(
        model.flow, recording, score_config(model), model.calibration, window=model.window, arrays=True
    )


def _interval(
    recording: Recording, score: FileScore, begin: float | None, end: float | None
) -> tuple[int, int]:
    if begin is not None and end is not None:
        return interval(recording, begin, end, "explain")
    if score.worst_start is None or score.worst_end is None:
        raise UsageError(
            "explain: the model has no calibration to say what is normal; train one with "
            "data.split.calibration above 0, or see seqflow calibrate"
        )
    rate = recording.rate or 1.0
    return round(score.worst_start * rate), round(score.worst_end * rate)


def _like(recording: Recording, values: np.ndarray[Any, np.dtype[np.float64]]) -> Recording:
    """The recording with other values."""
    return ArrayRecording(
        values.astype(np.float32),
        name=recording.name,
        kind=recording.kind,
        rate=recording.rate,
        step=recording.step,
        channel_names=recording.channel_names,
        conditions=recording.conditions,
    )


def _judged(score: FileScore, within: slice) -> dict[str, Any]:
    steps = np.empty(0) if score.arrays is None else score.arrays["place"][within]
    known = steps[np.isfinite(steps)]
    return {
        "score": score.score,
        "p_value": score.p_value,
        "alarm": score.alarm,
        "height": float(known.max()) if len(known) else None,
    }


def _ratio(residual: np.ndarray[Any, Any], recorded: np.ndarray[Any, Any]) -> float:
    size = np.sqrt(np.nanmean((recorded - np.nanmean(recorded, axis=1, keepdims=True)) ** 2))
    return float(np.sqrt(np.nanmean(residual**2)) / max(size, 1e-300))
