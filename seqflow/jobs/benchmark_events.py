"""Labelled recordings: which events does a run find at a number of false ones per hour, and how late?"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..files import make_folder, write_text
from ..metrics import Detection, detect_at_rate, match_alarms
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import repeatable
from ..scoring import FileScore, score_recording
from ..scoring.rates import event_hours
from .alarms import Alarms, TailChoice, score_config
from .inputs import list_inputs, open_input

HEAD = ["threshold", "found", "of", "by chance", "false", "an hour", "median delay, s", "longest delay, s"]


@dataclass(frozen=True)
class Found:
    """What one way to choose the threshold comes to, over all recordings.

    Attributes:
        labelled, found: events that are labelled, and those of them that are found.
        chance: how many as many alarms at random times would find.
        delays: seconds from the labelled onset to the alarm, of each that is found.
        false: alarms outside labelled events.
        hours: time outside them.
    """

    labelled: int
    found: int
    chance: float
    delays: list[float]
    false: int
    hours: float

    @classmethod
    def of(cls, parts: Sequence[Detection]) -> Found:
        """The sum over recordings; those without a labelled event count for their false alarms alone."""
        delays = [float(one) for part in parts for one in part.delays[part.found]]
        labelled = sum(len(part.delays) for part in parts)
        chance = sum(part.chance * len(part.delays) for part in parts if len(part.delays))
        hours = sum(part.hours for part in parts)
        return cls(labelled, len(delays), chance, delays, sum(part.false_alarms for part in parts), hours)

    def row(self, name: str) -> list[str]:
        """Cells of a table with `HEAD`."""
        shown = (
            [f"{value:.3g}" for value in (np.median(self.delays), max(self.delays))]
            if self.delays
            else 2 * ["-"]
        )
        rate = self.false / self.hours if self.hours else math.nan
        cells = [self.found, self.labelled, f"{self.chance:.2g}", self.false, f"{rate:.3g}"]
        return [name, *map(str, cells), *shown]


@dataclass(frozen=True)
class EventBenchmark:
    """Events of labelled recordings.

    Attributes:
        per_hour: false events accepted per hour.
        promised: with the threshold of the calibration, which has seen no label.
        chosen: with the lowest one that has at most so many false alarms per hour, chosen for each recording
            knowing the labels; of `place`, sample by sample.
        recordings: how many were judged.
        left_out: name and reason of those that were not.
    """

    per_hour: float
    promised: Found
    chosen: Found
    recordings: int
    left_out: list[tuple[str, str]]

    @property
    def exit_code(self) -> int:
        """0, or 3 where recordings were left out."""
        return 3 if self.left_out else 0

    def rows(self) -> list[list[str]]:
        """A row for each threshold."""
        return [self.promised.row("promised"), self.chosen.row("by labels")]


def benchmark_events(
    model: Model,
    paths: Sequence[str | Path | Recording],
    *,
    out: Path | None = None,
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EventBenchmark:
    """Find events in recordings with labels (`data.label`), and compare.

    An event counts as found where an alarm lies in it, or within the length of a block before or behind: a
    block is odd as soon as it holds a part of it, and known when it has ended. Writes `events.json` and
    `events.md` into `out`. Memory grows with the length of a recording. Raises UsageError where no recording
    has labels, and where the calibration cannot promise the number.
    """
    config = score_config(model, Alarms(per_hour=alarms_per_hour, tail=tail))
    calibration = model.calibration
    if config.alarms_per_hour is None or calibration is None:
        raise UsageError("benchmark events: say how many false events are accepted: --alarms-per-hour R")
    event_hours(calibration, model.rate)
    hz = model.rate or 1.0
    block = ((calibration.per_unit - 1) * calibration.hop + calibration.window) / hz
    promised, chosen, left_out = [], [], []
    inputs = list(list_inputs(model, paths))
    with repeatable(model.device):
        for done, item in enumerate(inputs, 1):
            try:
                for recording in open_input(model, item, strict=False):
                    own = _judge(model, config, recording, block)
                    if isinstance(own, str):
                        left_out.append((recording.name, own))
                        continue
                    promised.append(own[0])
                    chosen += own[1:]
            except InputError as error:
                left_out.append((item.name, f"{error.code}: {error.detail}"))
            if on_progress is not None:
                on_progress(done, len(inputs))
    if not any(len(one.delays) for one in promised):
        first = f"; first: {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise UsageError(
            f"benchmark events: no recording has a labelled event{first}; name data.label in the recipe"
        )
    result = EventBenchmark(
        config.alarms_per_hour, Found.of(promised), Found.of(chosen), len(promised), left_out
    )
    if out is not None:
        make_folder(out)
        write_text(out / "events.json", json.dumps(asdict(result), indent=1) + "\n")
        write_text(out / "events.md", markdown(result))
    return result


def markdown(result: EventBenchmark) -> str:
    """The result as a page."""
    lines = [
        f"# Labelled events at {result.per_hour:g} false ones an hour",
        "",
        f"{result.recordings} recordings, {result.promised.hours:.3g} hours outside events. `promised`: with "
        "the threshold of the calibration, which has seen no label. `by labels`: with the lowest threshold "
        "that has no more false alarms, which nobody knows beforehand.",
        "",
        f"| {' | '.join(HEAD)} |",
        f"|{'---|' * len(HEAD)}",
        *(f"| {' | '.join(row)} |" for row in result.rows()),
    ]
    return "\n".join(lines) + "\n"


def _judge(model: Model, config: ScoreConfig, recording: Recording, block: float) -> str | list[Detection]:
    """With the promised threshold, and where there is a labelled event with one by labels; or why not."""
    labels = recording.labels()
    if labels is None:
        return "has no labels"
    found = score_recording(
        model.flow, recording, config, model.calibration, window=model.window, arrays=True
    )
    if found.arrays is None or not found.scored:
        return f"{found.status}: {found.detail}"
    labels = labels[: found.samples]
    hz = model.rate or 1.0
    try:
        own = [match_alarms(_ranges(found, recording, hz), labels, rate=hz, slack=block)]
        if labels.any():
            place = np.nan_to_num(found.arrays["place"], nan=float(np.nanmin(found.arrays["place"])) - 1.0)
            assert config.alarms_per_hour is not None
            own.append(
                detect_at_rate(place, labels, config.alarms_per_hour, rate=hz, hold=block, slack=block)
            )
    except ValueError as error:
        return str(error)
    return own


def _ranges(found: FileScore, recording: Recording, hz: float) -> NDArray[np.int64]:
    """Samples of the recording in which events stand, from where each is known on."""
    rows: list[Any] = [
        (round(event.known * hz) - recording.start - 1, round(event.end * hz) - recording.start)
        for event in found.event_list
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)
