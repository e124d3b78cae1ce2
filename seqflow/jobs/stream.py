"""A stream scored live: bytes from a source, lines to sinks, and a state that survives a kill."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import CheckpointError, Interrupted, UsageError
from ..files import sha256
from ..live import Monitor, MonitorSettings, read_state, write_state
from ..live.csv_rows import CsvRows
from ..live.json_rows import JsonRows
from ..live.lines import Lines
from ..live.monitor import Line
from ..live.pcm import FORMATS, Pcm, step_of
from ..live.row import Decoder
from ..lock import lock
from ..model import Model, model_file
from ..recipe.data import SeriesData
from ..runtime import repeatable, threads
from ..scoring import LiveScorer
from ..training.signals import Interrupts
from .alarms import AS_THE_RECIPE_SAYS, Alarms, score_config
from .stream_sink import LineFile, Sink, text_of
from .stream_source import Source

_POLL = 0.2
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class StreamOptions:
    """How a stream is read and kept.

    Attributes:
        format: of the bytes: one of `pcm.FORMATS`, "csv" or "jsonl".
        alarms: false alarms accepted, per unit or per hour, and the tail of p-values.
        settings: of the monitor.
        state: file of the state; None: none is kept.
        state_every: seconds from save to save.
        replay: the input comes from its beginning again: what the state has consumed is passed over.
        stay_open: the end of the input is not the end of the stream, which another run goes on with.
        stalled: seconds without input before a line says so; None: never.
        out: file that the lines are written to as well; after a kill it is cut back to the state.
    """

    format: str = "s16le"
    alarms: Alarms = AS_THE_RECIPE_SAYS
    settings: MonitorSettings = field(default_factory=MonitorSettings)
    state: Path | None = None
    state_every: float = 10.0
    replay: bool = False
    stay_open: bool = False
    stalled: float | None = None
    out: Path | None = None


def duration(text: str, rate: float | None, what: str, *, samples: bool = True) -> float:
    """A time such as 0.5s, 12h or 30d in samples at this rate, or in seconds without `samples`.

    A plain number counts samples, or windows where seconds make no sense, and is returned as it is. Raises
    UsageError.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([smhd]?)", text.strip())
    if match is None:
        raise UsageError(f"{what}: {text!r:.20} is no time; write a number, or 0.5s, 10m, 12h, 30d")
    number, unit = float(match[1]), match[2]
    if not unit:
        return number
    if not rate:
        raise UsageError(f"{what}: the model has no rate, so {text} means nothing to it; give a plain number")
    return number * _UNITS[unit] * (rate if samples else 1.0)


def live_scorer(
    model: Model,
    *,
    alarms: Alarms = AS_THE_RECIPE_SAYS,
    onset: int | None = None,
    samples: bool = False,
    format: str = "jsonl",
) -> LiveScorer:
    """A scorer of one stream of the model's kind, whose values come in this format.

    `onset` windows in a row make an event, where alarms are per hour; None: those of a unit. Raises
    UsageError for an alarm rate where the calibration cannot judge windows, or not promise it.
    """
    config = score_config(model, alarms, onset)
    calibration = model.calibration
    if alarms.rate is not None and calibration is not None and calibration.unit != "block":
        raise UsageError(
            f"alarm rate: {compared(model)}, so there are no alarms in a stream; {ADVICE}, or leave it out"
        )
    audio = model.recipe.data.kind == "audio"
    step = model.step
    if format in FORMATS and model.recipe.data.step == "auto" and audio:
        step = step_of(format)
    return LiveScorer(
        model.flow,
        config,
        calibration,
        # A calibration knows it.
        window=model.window if calibration is None else None,
        rate=model.rate,
        step=step,
        kind="audio" if audio else "series",
        channel_names=model.channel_names,
        samples=samples,
        onset=onset,
    )


ADVICE = "calibrate on one long normal recording (seqflow calibrate RUN FILE --out RUN2)"


def compared(model: Model) -> str:
    """A line on why windows get no p-value; "" where they do."""
    if model.calibration is None:
        return "the model has no calibration"
    if model.calibration.unit != "block":
        return f"the calibration compares whole recordings ({len(model.calibration)}), not windows"
    return ""


def run_stream(run: Path, model: Model, source: Source, sink: Sink, options: StreamOptions) -> int:
    """Score a stream until it ends; the exit code: 0, or 3 where lines of it could not be used.

    Args:
        run: where the model comes from: a state belongs to it.
        model: the model.
        source: of the bytes.
        sink: of the lines. Those of the record have a `seq`; `start`, `stalled` and `lost` lines have none.
        options: see there.

    After SIGINT or SIGTERM, and where the sink fails, the state is saved; lines that the sink did not
    take are part of it, and come first the next time. Raises Interrupted, what the sink
    raises, UsageError after too many unusable lines in a row, and CheckpointError for a state of another
    model, version or options.
    """
    with ExitStack() as stack:
        if options.state is not None:
            stack.enter_context(lock(options.state.with_name(options.state.name + ".lock")))
        stack.enter_context(threads(1))
        stack.enter_context(repeatable(model.device))
        interrupts = stack.enter_context(Interrupts("stopped at once; the last saved state stands"))
        job = _Job(run, model, sink, options, stack)
        job.begin()
        return job.run(source, interrupts)


class _Job:
    def __init__(self, run: Path, model: Model, sink: Sink, options: StreamOptions, stack: ExitStack) -> None:
        self._options, self._sink = options, sink
        scorer = live_scorer(
            model,
            alarms=options.alarms,
            onset=options.settings.onset,
            samples=options.settings.samples,
            format=options.format,
        )
        self._monitor = Monitor(scorer, decoder_of(model, options.format), options.settings)
        self._file = None if options.out is None else stack.enter_context(LineFile(options.out))
        self._of = {
            "version": __version__,
            "model": sha256(model_file(run)),
            "format": options.format,
            "alarm rate": f"{scorer.alarm_rate:g}",
        }
        self._pending: Sequence[Line] = ()
        self._saved = time.monotonic()

    def begin(self) -> None:
        """Take up the state, say where the stream stands, and hand on what was not taken before."""
        monitor, path = self._monitor, self._options.state
        if path is not None and path.exists():
            state = read_state(path, self._of)
            try:
                monitor.restore(state["monitor"])
                pending, offset = list(state["pending"]), state["offset"]
            except CheckpointError as error:
                raise CheckpointError(f"{path}: {error}") from None
            if self._options.replay:
                monitor.decoder.replay()
            if self._file is not None:
                self._file.rewind(int(offset or 0))
        else:
            pending = []
            if self._file is not None:
                self._file.refuse_filled()
        scorer = monitor.scorer
        start = {
            "kind": "start",
            "consumed": monitor.decoder.consumed(),
            "unit": monitor.decoder.unit,
            "samples": scorer.position,
            "next_seq": monitor.counts["seq"] - len(pending),
            "channels": scorer.channels,
            "rate": scorer.rate,
            "window": scorer.window,
            "hop": scorer.hop,
            "alarm_rate": scorer.alarm_rate if scorer.per_unit else None,
            "alarms_per_hour": scorer.alarms_per_hour if scorer.per_unit else None,
            "windows_to_onset": monitor.onset if scorer.per_unit else None,
        }
        if scorer.note:
            start["note"] = scorer.note
        self._hand([start, *pending], pending)
        self._save()

    def run(self, source: Source, interrupts: Interrupts) -> int:
        """The stream, to its end."""
        heard, told, lost = time.monotonic(), False, 0
        while not interrupts.asked:
            data = source.read(_POLL)
            now = time.monotonic()
            if source.lost > lost:
                self._hand([{"kind": "lost", "messages": source.lost - lost}], ())
                lost = source.lost
            if data == b"":
                return self._end()
            if data is not None:
                heard, told = now, False
                self._give(self._monitor.feed(data))
                if self._monitor.hopeless:
                    most = self._options.settings.most_bad
                    raise UsageError(
                        f"stream: {most} lines in a row cannot be used; check --format, or raise --most-bad"
                    )
            elif self._options.stalled is not None and not told and now - heard >= self._options.stalled:
                told = True
                self._hand([{"kind": "stalled", "seconds": now - heard}], ())
            if now - self._saved >= self._options.state_every:
                self._save()
        self._save()
        kept = "; the state is saved" if self._options.state is not None else ""
        raise Interrupted(f"stream: interrupted after {self._monitor.scorer.position} samples{kept}")

    def _end(self) -> int:
        if not self._options.stay_open:
            self._give(self._monitor.finish())
        self._save()
        return self._monitor.exit_code

    def _give(self, lines: Sequence[Line]) -> None:
        if lines:
            self._hand(lines, lines)

    def _hand(self, lines: Sequence[Line], record: Sequence[Line]) -> None:
        self._pending = record
        try:
            self._sink(lines)
            if self._file is not None:
                self._file(record)
        except Exception:
            self._save()
            raise
        self._pending = ()

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self._options.state is None:
            return
        state: dict[str, Any] = {
            "monitor": self._monitor.state(),
            "pending": [json.loads(text_of(line)) for line in self._pending],
            "offset": None if self._file is None else self._file.offset(),
        }
        write_state(self._options.state, state, self._of)


def decoder_of(model: Model, format: str) -> Decoder:
    """The decoder of a stream in this format. Raises UsageError for one that is none, or not the model's."""
    data = model.recipe.data
    if format == "jsonl":
        return Lines(JsonRows(model.channels, model.channel_names, model.rate))
    if format == "csv":
        decimal = data.decimal if isinstance(data, SeriesData) else "."
        time_name = data.time if isinstance(data, SeriesData) and data.time != "auto" else None
        return Lines(CsvRows(model.channels, model.channel_names, model.rate, decimal, time_name))
    if data.kind == "series" and step_of(format) is not None:
        raise UsageError(f"format: {format} is scaled as sound; a model of sensors takes f32le, csv or jsonl")
    return Pcm(format, model.channels)
