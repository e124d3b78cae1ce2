"""Scores of a recording of any length: per sample, per window and as a whole.

Shapes: windows (B, C, W); K terms; per-sample values (T,).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

import numpy as np

from ..data.recording import Recording
from ..flow import Flow
from ..recipe import ScoreConfig
from .calibration import Calibration
from .compare import TOO_SMALL
from .events import Event, Events, Noted
from .judge import Block, Judge, Scorer, Spot, promised
from .place import Place
from .ranked import RankedInterval, ranked
from .results import FileEvent, FileScore
from .stream import BLOCK, Stream
from .sweep import Sweep, track_names
from .term import Array
from .worst import WorstInterval, worst_intervals

OnSamples = Callable[[int, Mapping[str, Array]], None]
"""Called with the first sample and the per-sample values (n,) by term, and `place`, in order."""

_REACH = 1 << 18
_QUIET = 2
"""Blocks in a row without cause for alarm that end an event."""


def score_recording(
    flow: Flow,
    recording: Recording,
    config: ScoreConfig,
    calibration: Calibration | None = None,
    *,
    window: int | None = None,
    arrays: bool = False,
    intervals: int = 0,
    on_samples: OnSamples | None = None,
    block: int = BLOCK,
) -> FileScore:
    """Score one recording, read block by block.

    Per-sample values are exact averages over all windows that cover the sample. The windows start every
    `hop` samples and the last ends with the recording. Windows that hold an invalid sample are left out;
    samples that no other window covers are NaN. The result depends on neither the reading block nor on other
    recordings; memory does not grow with the length unless `arrays` are asked for.

    Args:
        flow: the model.
        recording: the recording.
        config: batch, alarm rate and level of silence. Its terms, where set, may be a part of the
            calibration's; its hop and smoothing, where set, must be the calibration's.
        calibration: of normal recordings. Without one there are log-densities but no score.
        window: length of the windows, samples; only without a calibration, which knows it.
        arrays: keep per-sample and per-window values in the result.
        intervals: keep so many of the worst ones in `intervals`, the first of them the worst; needs a
            calibration. Where nothing rises above its usual level there are none.
        on_samples: receives the per-sample values as they become final; for writing them to a file. What it
            got counts for nothing where the result has no score: a silent recording is known by its end.
        block: samples read at a time.

    Raises UsageError for an alarm rate that the calibration cannot promise and for settings that contradict
    it, and InputError for a recording of another kind than the model's, or one that cannot be read.
    """
    scorer = Scorer(config, calibration, window, flow.rate)
    stream = Stream(
        flow,
        recording,
        scorer.window,
        scorer.hop,
        batch=config.batch,
        silence_db=config.silence_db,
        block=block,
        background=scorer.background,
    )
    with _PlaceTrack() as track:
        return _Run(scorer, stream, arrays, on_samples, intervals, track).result()


class _PlaceTrack:
    """A track of per-sample values, in a file that has no name: memory does not grow with it."""

    def __enter__(self) -> _PlaceTrack:
        self._file: IO[bytes] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, values: Array) -> None:
        """Append values (n,)."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._file.write(np.ascontiguousarray(values, np.float64).tobytes())

    def values(self) -> Array:
        """All values (T,)."""
        if self._file is None or not self._file.tell():
            return np.empty(0)
        self._file.flush()
        return np.memmap(self._file, np.float64, "r")


class _Run:
    """One recording on its way through the flow."""

    def __init__(
        self,
        scorer: Scorer,
        stream: Stream,
        arrays: bool,
        on_samples: OnSamples | None,
        intervals: int,
        track: _PlaceTrack,
    ) -> None:
        self._scorer = scorer
        self._stream = stream
        self._keep = arrays
        self._on_samples = on_samples
        self._intervals = intervals
        self._track = track
        self._names = [term.name for term in scorer.terms]
        calibrated = scorer.place is not None
        self._tracks = track_names(self._names if arrays or on_samples else [], calibrated)
        self._sweep = Sweep(scorer, self._tracks, self._take)
        self._reach = max(_REACH, 4 * scorer.window)
        self._interval = WorstInterval(scorer.window, self._reach)
        self._compared = scorer.compared(stream.recording.conditions)
        self._judge: Judge | None = None
        if self._compared is not None:
            self._judge = Judge(self._compared.calibration, self._compared.tail, self._block)
        self._events = None
        if scorer.per_hour is not None and self._compared is not None and self._compared.alarms:
            self._events = Events(scorer.rate, 1, _QUIET)
        self._found: list[tuple[Event, int]] = []
        self._known = 0
        self._blocks = 0
        self._pieces: list[Array] = []
        self._rows: list[Array] = []
        self._starts: list[int] = []
        self._sum, self._count = 0.0, 0

    def result(self) -> FileScore:
        for starts, batch in self._stream:
            found = self._sweep.add(starts, batch)
            self._sweep.drain(starts[-1])
            if self._judge is not None:
                self._judge.add(found.rows, self._spots(starts, found.steps))
            if self._keep:
                self._rows.append(found.values)
                self._starts += starts
        self._sweep.drain(self._stream.samples)
        return self._file_score()

    def _spots(self, starts: Sequence[int], steps: Array) -> list[Spot]:
        """Where windows are highest, for events."""
        if self._events is None or Place.name not in self._tracks:
            return []
        places = steps[:, self._tracks.index(Place.name)]
        tops = places.argmax(axis=1).tolist()
        return [
            Spot(start, float(row[top]), start + top)
            for start, row, top in zip(starts, places, tops, strict=True)
        ]

    def _block(self, block: Block) -> None:
        if self._events is not None:
            self._blocks += 1
            self._note(self._events.add(block))

    def _note(self, noted: Sequence[Noted]) -> None:
        for one in noted:
            if one.kind == "onset":
                self._known = one.event.end
            else:
                self._found.append((one.event, self._known))

    def _take(self, start: int, piece: Array) -> None:
        nll = piece[0][~np.isnan(piece[0])]
        # A running sum: its rounding does not depend on where the pieces end.
        self._sum = float(np.cumsum(np.concatenate([[self._sum], nll]))[-1])
        self._count += len(nll)
        if Place.name in self._tracks:
            place = piece[self._tracks.index(Place.name)]
            self._interval.add(start, place)
            if self._intervals:
                self._track.add(place)
        if self._keep:
            self._pieces.append(piece)
        if self._on_samples is not None:
            self._on_samples(start, dict(zip(self._tracks, piece, strict=True)))

    def _file_score(self) -> FileScore:
        recording, samples = self._stream.recording, self._stream.samples
        verdict = self._stream.verdict()
        known: dict[str, Any] = {
            "name": recording.name,
            "path": recording.path,
            "status": verdict.status,
            "detail": verdict.detail,
            "samples": samples,
            "rate": recording.rate,
            "duration": samples / recording.rate if recording.rate else None,
        }
        if not verdict.scored:
            return FileScore(**known)
        notes = [verdict.detail, *self._stream.notes()]
        nll = self._sum / self._count
        known["nll"] = nll
        known["bits"] = (nll - math.log(recording.step)) / math.log(2.0) if recording.step else None
        if self._judge is not None:
            known |= self._judged(self._judge, notes)
            if self._compared is not None and not self._compared.alarms and known["status"] == "ok":
                known["status"] = TOO_SMALL
        known["detail"] = "; ".join(filter(None, notes))
        if self._keep:
            joined = np.concatenate(self._pieces, axis=1)
            rows = np.concatenate(self._rows)
            known["arrays"] = dict(zip(self._tracks, joined, strict=True))
            known["windows"] = {"start": np.array(self._starts)} | {
                name: rows[:, k] for k, name in enumerate(self._names)
            }
        return FileScore(**known)

    def _ranked(self) -> tuple[RankedInterval, ...]:
        if not self._intervals:
            return ()
        found = worst_intervals(
            self._track.values(), self._intervals, dip=self._scorer.window, reach=self._reach
        )
        return tuple(ranked(self._stream.recording, rank, one) for rank, one in enumerate(found, 1))

    def _judged(self, judge: Judge, notes: list[str]) -> dict[str, Any]:
        """What the comparison says, and in `notes` what is to be said of it."""
        assert self._compared is not None
        found, own, tail = judge.judgement(), self._compared.calibration, self._compared.tail
        notes.append(self._compared.note)
        alarm: bool | None = None
        if self._events is not None:
            self._note(self._events.finish())
            alarm = bool(self._found)
        elif self._compared.alarms:
            alarm = promised(found.p_value, self._scorer.rate)
            notes.append(found.unpromised(self._scorer.rate, len(own)))
        if found.modelled and tail is not None:
            notes.append(f"p {tail.fit.text()}")
        return {
            "score": found.score,
            "p_value": found.p_value,
            "p_source": "pareto" if found.modelled else "conformal",
            "alarm": alarm,
            "unit": own.unit,
            "terms": dict(zip(self._names, found.terms.tolist(), strict=True)),
            "term_p_values": dict(zip(self._names, found.term_p_values.tolist(), strict=True)),
            "worst_start": self._moment(self._interval.start),
            "worst_end": self._moment(self._interval.end),
            "intervals": self._ranked(),
            "events": None if self._events is None else len(self._found),
            "events_expected": None if self._events is None else self._blocks * self._scorer.rate,
            "event_list": tuple(self._event(event, known) for event, known in self._found),
        }

    def _event(self, event: Event, known: int) -> FileEvent:
        start, end, peak = (self._position(sample) for sample in (event.start, event.end, event.peak))
        return FileEvent(start, end, peak, self._position(known), event.score, event.p_value, event.count)

    def _moment(self, sample: int | None) -> float | None:
        """Seconds from the beginning of the recording, or samples where it has no rate."""
        return None if sample is None else self._position(sample)

    def _position(self, sample: int) -> float:
        recording = self._stream.recording
        return (recording.start + sample) / (recording.rate or 1.0)
