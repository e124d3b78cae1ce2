"""Scores of a stream that has no end yet: each window as it is complete, each sample as it is final.

Shapes: values, mask (C, n); per-sample values (n,); K terms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..data.recording import Kind, Mask, Values
from ..errors import CheckpointError, InputError
from ..flow import Flow
from ..recipe import ScoreConfig
from .calibration import Calibration, Pool
from .judge import Scorer, promised
from .place import Place
from .slide import Slider, Window
from .states import StateTracker
from .stream import check_window
from .sweep import Sweep, track_names
from .term import Array
from .window_pass import WindowPass

State = dict[str, Any]
"""Arrays and plain JSON values by name, nested."""

_NONE: Mapping[str, str] = {}
# Of a window. Clipping and an offset are told of long stretches only: a short one of a slow wave has both.
_STATES = ("silent", "constant", "dead_channel")


@dataclass(frozen=True)
class LiveWindow:
    """A window of valid samples.

    Attributes:
        start, end: samples start .. end - 1, counted from the beginning of the stream.
        status: ok, silent, constant or dead_channel, see `states`; a silent or constant window has no score.
        nll: negative log-density, nats per sample.
        terms: value of each term of the calibration.
        score, p_value: of the unit that ends with this window, as many windows as one of the calibration;
            None where the calibration compares whole recordings, there are not as many windows yet, or one
            of them has no score.
        alarm: whether the p-value is at most the alarm rate.
        height, peak: the highest `place` of its steps, and the sample it lies at; None without a calibration.
        unit, unit_start: (K,) values of the terms over that unit, and its first sample; None where there is
            no p-value.
        p_source: "conformal", or "pareto" where the p-value comes from a fitted tail.
    """

    start: int
    end: int
    status: str
    nll: float
    terms: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None
    p_value: float | None = None
    alarm: bool | None = None
    height: float | None = None
    peak: int | None = None
    unit: Array | None = None
    unit_start: int | None = None
    p_source: str | None = None


class LiveSamples(NamedTuple):
    """Consecutive samples that are final: the first one, and values (n,) by term; NaN where not scored."""

    start: int
    values: Mapping[str, Array]


class LiveScores(NamedTuple):
    """What became known: windows in order of their starts, and samples in order."""

    windows: list[LiveWindow]
    samples: list[LiveSamples]


class LiveScorer:
    """Scores a stream piece by piece; what it says does not depend on how the stream is cut, to the bit.

    Windows, values and places are those of `score_recording`: to the bit with `batch: 1`, with larger batches
    but for the rounding of float32 (1e-3 relative and 1e-4 absolute). Two things are known of a whole
    recording only, and differ: a model with a `clock` is not told where in the recording a window lies, as if
    the place were unknown; and a state (silent, constant) is that of a window.

    Latency: a window is scored by the call that completes it, so a sample is in a scored window at most
    `hop` samples after it came, once a window has passed; its average over all windows is final with the
    first window behind it, at most `window` + `hop` samples after it. Memory: a window, and a unit.

    Args:
        flow: the model.
        config: alarm rate, level of silence, terms, as for `score_recording`.
        calibration: of normal recordings; None: log-densities, no score.
        window: samples; only without a calibration.
        rate: Hz, of the stream; None without a clock.
        step: quantisation step of the values; None where there is none.
        kind: "audio" or "series": which states there are.
        channel_names: (C) for messages.
        conditions: what is declared about the stream.
        samples: give per-sample values of every term; without, of none.
        onset: windows in a row that must alarm before it is an event, for alarms per hour; None: a unit.

    Raises UsageError as `score_recording` does.
    """

    def __init__(
        self,
        flow: Flow,
        config: ScoreConfig,
        calibration: Calibration | None = None,
        *,
        window: int | None = None,
        rate: float | None = None,
        step: float | None = None,
        kind: Kind = "series",
        channel_names: tuple[str, ...] = (),
        conditions: Mapping[str, str] = _NONE,
        samples: bool = False,
        onset: int | None = None,
    ) -> None:
        self._scorer = Scorer(config, calibration, window, flow.rate, onset)
        self._compared = self._scorer.compared(conditions)
        check_window(flow, self._scorer.window, self._scorer.hop)
        self.rate, self.channels = rate, flow.channels
        self._kind, self._names, self._silence = kind, channel_names, config.silence_db
        self._terms = [term.name for term in self._scorer.terms]
        self._samples = samples
        background = self._scorer.background
        self._pass = WindowPass(
            flow,
            step,
            conditions,
            start=0,
            length=None,
            background=None if background is None else background.flow,
        )
        self._slider = Slider(self.window, self.hop)
        names = track_names(self._terms if samples else [], self._scorer.place is not None)
        self._sweep = Sweep(self._scorer, names, self._take)
        self._ready: list[LiveSamples] = []
        self._rows: deque[Array] = deque(maxlen=self.per_unit or 1)
        self._starts: deque[int] = deque(maxlen=self.per_unit or 1)

    @classmethod
    def from_state(cls, state: State, flow: Flow, config: ScoreConfig, *args: Any, **keys: Any) -> LiveScorer:
        """A scorer that goes on where `state` was taken, made with the same arguments as that one.

        Raises CheckpointError for a state of another window, hop, number of channels or set of terms.
        """
        made = cls(flow, config, *args, **keys)
        made.restore(state)
        return made

    @property
    def window(self) -> int:
        """Samples of a window."""
        return self._scorer.window

    @property
    def hop(self) -> int:
        """Samples from window to window."""
        return self._scorer.hop

    @property
    def alarm_rate(self) -> float:
        """False alarms accepted per unit of the calibration."""
        return self._scorer.rate

    @property
    def alarms_per_hour(self) -> float | None:
        """False events accepted per hour; None where the rate is one per unit."""
        return self._scorer.per_hour

    @property
    def note(self) -> str:
        """A line where the stream is not compared as asked for; "" elsewhere."""
        return "" if self._compared is None else self._compared.note

    @property
    def per_unit(self) -> int:
        """Windows that are judged together; 0 where the calibration is not of windows, and none are."""
        calibration = self._scorer.calibration
        return 0 if calibration is None else calibration.per_unit

    @property
    def calibration(self) -> Calibration | None:
        """What p-values come from, with the terms that are scored, and the units of the stream's class."""
        return None if self._compared is None else self._compared.calibration

    @property
    def position(self) -> int:
        """Samples per channel taken in."""
        return self._slider.position

    def feed(self, values: Values, mask: Mask | None = None) -> LiveScores:
        """Take in samples (C, n) in the units of the training data; `mask` (C, n) is true where valid.

        Without a mask all finite ones are. Raises InputError `wrong_channels`.
        """
        x = np.asarray(values)
        if x.ndim != 2 or x.shape[0] != self.channels:
            text = f"a piece of shape {x.shape}, the model has {self.channels} channels"
            raise InputError("stream", "wrong_channels", f"{text}; send (channels, samples)")
        finite = np.isfinite(x)
        good = finite if mask is None else finite & mask
        windows = [self._score(window) for window in self._slider.feed(np.where(good, x, 0.0), good)]
        ready, self._ready = self._ready, []
        return LiveScores(windows, ready)

    def finish(self) -> LiveScores:
        """End the stream, or a segment of it: the window that ends here, and the samples that are left.

        What is fed then begins a segment, whose windows are those of a recording of its own; counting goes
        on.
        """
        windows = [self._score(window) for window in self._slider.finish()]
        self._sweep.drain(self.position)
        self._clear()
        ready, self._ready = self._ready, []
        return LiveScores(windows, ready)

    def state(self) -> State:
        """What `restore` needs to go on from here, to the bit."""
        return {
            "window": self.window,
            "hop": self.hop,
            "channels": self.channels,
            "terms": self._terms,
            "tracks": self._sweep.tracks,
            "slider": self._slider.state(),
            "sweep": self._sweep.state(),
            "rows": np.array(self._rows).reshape(-1, len(self._terms)),
            "starts": list(self._starts),
        }

    def restore(self, state: State) -> None:
        """Go on from a state. Raises CheckpointError where it is that of another scorer."""
        own = self.state()
        try:
            for key in ("window", "hop", "channels", "terms", "tracks"):
                if state[key] != own[key]:
                    raise ValueError(f"{key} {state[key]}, this one has {own[key]}")
            self._slider.restore(state["slider"])
            self._sweep.restore(state["sweep"])
            self._clear()
            self._rows.extend(np.asarray(state["rows"], np.float64))
            self._starts.extend(int(start) for start in state["starts"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"state of a stream: is that of another scorer ({error})") from None

    def _take(self, start: int, piece: Array) -> None:
        if self._samples:
            self._ready.append(LiveSamples(start, dict(zip(self._sweep.tracks, piece, strict=True))))

    def _score(self, window: Window) -> LiveWindow:
        # One by one: neither the cut of the stream nor other windows have a say in the rounding.
        measured = self._sweep.add([window.start], self._pass([window]))
        self._sweep.drain(window.start)
        tracker = StateTracker(self.channels, self._kind == "audio", self._silence, self._names)
        tracker.add(window.values, np.ones(window.values.shape, np.bool_))
        verdict = tracker.verdict(self.window, 1)
        steps = dict(zip(self._sweep.tracks, measured.steps[0], strict=True))
        height = peak = None
        if Place.name in steps:
            top = int(steps[Place.name].argmax())
            height, peak = float(steps[Place.name][top]), window.start + top
        score = p_value = alarm = unit = None
        modelled = False
        if not verdict.scored:
            self._clear()
        elif self.per_unit:
            self._rows.append(measured.rows[0])
            self._starts.append(window.start)
            if len(self._rows) == self.per_unit:
                unit, score, p_value, modelled = self._judge()
                if self._compared is not None and self._compared.alarms:
                    alarm = promised(p_value, self.alarm_rate)
        return LiveWindow(
            window.start,
            window.start + self.window,
            verdict.status if verdict.status in _STATES else "ok",
            float(steps["nll"].mean()),
            dict(zip(self._terms, measured.values[0].tolist(), strict=True)),
            score,
            p_value,
            alarm,
            height,
            peak,
            unit,
            None if unit is None else self._starts[0],
            None if p_value is None else "pareto" if modelled else "conformal",
        )

    def _clear(self) -> None:
        self._rows.clear()
        self._starts.clear()

    def _judge(self) -> tuple[Array, float, float, bool]:
        assert self._compared is not None
        pool = Pool(self._scorer.terms)
        pool.add(np.array(self._rows))
        values = pool.values()
        fused = self._compared.calibration.judge(values)
        tail = self._compared.tail
        p_value, modelled = (fused.p_value, False) if tail is None else tail.p(values, fused.p_value)
        return values, fused.score, p_value, modelled
