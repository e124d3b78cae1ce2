"""Recordings in files to scores: rows, tables, per-sample arrays and figures."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.recording import ArrayRecording, Recording
from ..errors import InputError, UsageError
from ..files import atomic, make_folder, write_text
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import repeatable
from ..scoring import FileScore, score_recording, write_scores
from ..scoring.results import remove_events, write_events
from ..scoring.sweep import track_names
from ..scoring.tracks import TrackFile
from .alarms import Alarms, TailChoice, score_config
from .inputs import Input, list_inputs, open_input, without_memory
from .interval_channels import with_channels
from .interval_table import intervals_csv
from .model_head import ModelHead

OnResult = Callable[[FileScore, int, int], None]
"""Called with each score as it is there, the number of inputs done, and of all."""

INTERVALS = "intervals.csv"

_MOST_IN_FIGURE = 1 << 18
# Bytes: what file systems allow, and what is kept of a longer name.
_LONGEST_NAME = 255
_KEPT = 180


def score_paths(
    model: Model,
    inputs: Sequence[str | Path | Recording],
    *,
    out: Path | None = None,
    samples: bool = False,
    figures: int = 0,
    intervals: int = 0,
    strict: bool = False,
    device: str | None = None,
    alarm_rate: float | None = None,
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    on_result: OnResult | None = None,
) -> list[FileScore]:
    """Score files, in the order of their names; one that cannot be scored gets a row with its reason code.

    Args:
        model: a trained model, with the calibration that p-values and alarms need.
        inputs: files, folders (all recordings below), patterns, or recordings.
        out: folder for `scores.csv` and `scores.parquet`, with alarms per hour also `events.csv` and
            `events.parquet`; what else is asked for goes below it.
        samples: write the per-sample scores as `samples/NAME.npy`, see `TrackFile`; needs `out`.
        figures: draw the worst place of so many recordings, the most unusual first, as `figures/01-NAME.png`
            and so on, and all scores against the calibration as `figures/overview.png`; needs `out`.
        intervals: keep so many of the worst of each recording in `intervals`, with the shares of the
            channels, and write them as `intervals.csv`.
        strict: refuse files with faults that could be read around.
        device: where to compute; None for where the model is.
        alarm_rate: false alarms accepted, a fraction; None for the recipe's.
        alarms_per_hour: false events accepted per hour, in place of the rate; None for the recipe's.
        tail: "pareto" for p-values below what the calibration can promise, by a model; "conformal" for none;
            None for the recipe's.
        on_result: told of every score.

    Memory grows neither with the length of recordings nor with `samples`. Raises UsageError where the
    calibration cannot promise the alarm rate, and ResourceError where an output cannot be written or memory
    runs out.
    """
    config = score_config(model, Alarms(alarm_rate, alarms_per_hour, tail))
    if (samples or figures) and out is None:
        raise UsageError("score: samples and figures are files; give the folder for them (--out)")
    if intervals and model.calibration is None:
        raise UsageError("score: without a calibration there are no intervals; see seqflow calibrate")
    if device is not None:
        model.to(device)
    wanted = list(list_inputs(model, inputs))
    scores: list[FileScore] = []
    places: list[tuple[Input, int]] = []
    with repeatable(model.device):
        for done, item in enumerate(wanted, 1):
            try:
                found = score_input(
                    model,
                    config,
                    item,
                    strict=strict,
                    samples=out / "samples" if out and samples else None,
                    intervals=intervals,
                )
            except (RuntimeError, MemoryError) as error:
                raise without_memory(error, item.name, config) from error
            for part, score in enumerate(found):
                scores.append(score)
                places.append((item, part))
                if on_result is not None:
                    on_result(score, done, len(wanted))
        if out is not None:
            write_scores(make_folder(out), scores, term_names(model, config))
            remove_events(out)
            if config.alarms_per_hour is not None:
                write_events(out, scores)
            if intervals:
                rows = ((one.name, one.path, one.intervals) for one in scores)
                write_text(out / INTERVALS, intervals_csv(rows))
            if figures:
                _draw(model, config, scores, places, figures, make_folder(out / "figures"), strict)
    return scores


def score(
    model: Model,
    recording: NDArray[np.floating[Any]] | str | Path | Recording,
    *,
    rate: float | None = None,
    step: float | None = None,
    alarm_rate: float | None = None,
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    condition: Mapping[str, str] | None = None,
) -> FileScore:
    """Score one recording, with its per-sample and per-window values in `arrays` and `windows`.

    An array is (C, T) or (T,), in the units of the training data; `rate` (Hz) and `step` (their quantisation
    step) are the model's where they are not given, and have no meaning for files and recordings. `condition`
    gives values of the model's conditions; they go before what the path of a file says.

    Raises InputError for one that cannot be read or is of another kind than the model's, and UsageError for a
    file of several recordings, and for an alarm rate that the calibration cannot promise.
    """
    config = score_config(model, Alarms(alarm_rate, alarms_per_hour, tail))
    if isinstance(recording, str | Path):
        name = Path(recording).name
        found = list(open_input(model, Input(name, Path(recording)), strict=False))
        if len(found) > 1:
            raise UsageError(f"{recording}: has gaps: {len(found)} recordings; use score_paths")
        recording = found[0]
    if not isinstance(recording, Recording):
        recording = ArrayRecording(
            recording,
            kind="audio" if model.recipe.data.kind == "audio" else "series",
            rate=model.rate if rate is None else rate,
            step=model.step if step is None else step,
            channel_names=model.channel_names,
        )
    if condition is not None:
        model.classes.check(condition)
        # The caller's recording stays as it is.
        recording = copy.copy(recording)
        recording.conditions = {**recording.conditions, **condition}
    with repeatable(model.device):
        return score_recording(
            model.flow, recording, config, model.calibration, window=model.window, arrays=True
        )


def score_input(
    model: Model,
    config: ScoreConfig,
    item: Input,
    *,
    strict: bool,
    samples: Path | None,
    intervals: int = 0,
) -> list[FileScore]:
    """The scores of the recordings in one input: one, but for series with gaps; a row also for a failure.

    Per-sample scores go to files below `samples`. Raises what `score_paths` raises.
    """
    try:
        recordings = list(open_input(model, item, strict=strict))
    except InputError as error:
        if samples is not None:
            output_path(samples, item.name).unlink(missing_ok=True)  # of what was there before
        return [FileScore.failed(item.name, error)]
    scores = []
    for recording in recordings:
        try:
            found = _score(model, config, recording, samples, intervals)
            scores.append(with_channels(model, config, recording, found))
        except InputError as error:
            scores.append(FileScore.failed(recording.name, error))
    return scores


def exit_code(scores: Sequence[FileScore]) -> int:
    """0 where all inputs have a score, 4 where none has, else 3."""
    scored = sum(score.scored for score in scores)
    return 0 if scored == len(scores) else 3 if scored else 4


def ranked(scores: Sequence[FileScore]) -> list[int]:
    """Indices from the most unusual to the most usual: by score, without a calibration by nll.

    Recordings without a score are left out.
    """
    known = {i: s.nll if s.score is None else s.score for i, s in enumerate(scores) if s.nll is not None}
    return sorted(known, key=lambda index: (-known[index], index))


def output_path(folder: Path, name: str, suffix: str = ".npy") -> Path:
    """The file below `folder` for the input of this name, with its folders; too long a name is cut."""
    parts = [part for part in name.split("/") if part not in ("", ".", "..")] or ["unnamed"]
    # No character takes more than four bytes.
    if 4 * len(parts[-1]) + len(suffix) > _LONGEST_NAME and (
        len(last := os.fsencode(parts[-1])) + len(suffix) > _LONGEST_NAME
    ):
        digest = hashlib.sha256(last).hexdigest()[:16]
        parts[-1] = f"{last[:_KEPT].decode('utf-8', 'ignore')}~{digest}"
    return folder / ("/".join(parts) + suffix)


def term_names(model: Model | ModelHead, config: ScoreConfig) -> tuple[str, ...]:
    """Names of the terms in the rows."""
    if model.calibration is None:
        return ()
    return config.terms if "terms" in config.model_fields_set else model.calibration.terms


def _score(
    model: Model, config: ScoreConfig, recording: Recording, samples: Path | None, intervals: int
) -> FileScore:
    def run(**keys: Any) -> FileScore:
        return score_recording(
            model.flow,
            recording,
            config,
            model.calibration,
            window=model.window,
            intervals=intervals,
            **keys,
        )

    if samples is None:
        return run()
    path = output_path(samples, recording.name)
    make_folder(path.parent)
    try:
        with atomic(path) as file:
            tracks = TrackFile(file, _tracks(model, config))
            score = run(on_samples=tracks.add)
            if not score.scored:
                raise _NoTracksError(score)
            tracks.finish()
            return score
    except _NoTracksError as found:
        path.unlink(missing_ok=True)
        return found.score


class _NoTracksError(Exception):
    """A recording turned out, at its end, to be in a state without a score: there is nothing to keep."""

    def __init__(self, score: FileScore) -> None:
        self.score = score


def _tracks(model: Model, config: ScoreConfig) -> list[str]:
    """Names of the per-sample scores."""
    return track_names(term_names(model, config), model.calibration is not None)


def _draw(
    model: Model,
    config: ScoreConfig,
    scores: Sequence[FileScore],
    places: Sequence[tuple[Input, int]],
    most: int,
    folder: Path,
    strict: bool,
) -> None:
    from ..explanation import material, surprise_map
    from ..plots import localisation_figure, overview_figure

    for old in folder.glob("[0-9][0-9]-*.png"):
        old.unlink(missing_ok=True)  # its rank is that of another run
    order = ranked(scores)
    if model.calibration is not None and order:
        overview_figure([scores[index] for index in order], model.calibration, folder / "overview.png")
    for rank, index in enumerate(order[:most], 1):
        item, part = places[index]
        try:
            recording = list(open_input(model, item, strict=strict))[part]
            shown = _excerpt(recording, scores[index], model)
            local = score_recording(
                model.flow, shown, config, model.calibration, window=model.window, arrays=True
            )
        except InputError:
            continue  # gone since it was scored; its row stands
        # The judgement is that of the whole recording, the tracks those of the part that is shown.
        label = replace(scores[index], arrays=local.arrays)
        name = f"{rank:02}-{recording.name.replace('/', '-')}"
        seen = None
        if model.calibration is not None:
            seen = surprise_map(material(model.flow, shown, config, model.calibration))
        localisation_figure(
            shown, label, output_path(folder, name, ".png"), context=model.window, surprise=seen
        )


def _excerpt(recording: Recording, score: FileScore, model: Model) -> Recording:
    """As much of the recording as a figure can show, the worst interval in its middle."""
    if recording.length <= _MOST_IN_FIGURE:
        return recording
    unit = recording.rate or 1.0
    middle = 0.5 * unit * ((score.worst_start or 0.0) + (score.worst_end or 0.0)) - recording.start
    start = int(min(max(middle - _MOST_IN_FIGURE / 2, 0), recording.length - _MOST_IN_FIGURE))
    # On the grid of the windows, so that they are the same ones.
    start -= start % (model.calibration.hop if model.calibration is not None else 1)
    return recording.part(start, start + _MOST_IN_FIGURE)
