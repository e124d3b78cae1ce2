"""Bytes in, lines out: decoding, order, scores, events and drift of one stream, with one state.

Shapes: values (C, n).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import CheckpointError, UsageError
from ..scoring.drift import DriftMonitor
from ..scoring.events import Events, Noted, windows_in_a_row
from ..scoring.live import LiveSamples, LiveScorer, LiveScores, LiveWindow
from .order import Gap, Order, Piece
from .row import Bad, Decoder, Row

Line = dict[str, Any]

DAY = 86400.0
_A_DAY = 10_000.0  # windows, of a stream without a clock


@dataclass(frozen=True)
class MonitorSettings:
    """How a stream is watched.

    Attributes:
        samples: give a line with the values of samples as they become final.
        terms: give the value of each term with every window.
        onset: windows in a row that must alarm before it is an event; None: with alarms per hour those of a
            unit, else so many that chance makes one a day at most (one in 10,000 windows without a clock),
            see `windows_in_a_row`.
        drift_every: least expected time between false drift alarms: seconds, or windows without a clock; 0:
            drift is not watched.
        wait: samples that late rows are waited for.
        gap: samples of the longest gap that is masked; None: a window.
        most_bad: lines in a row that may be unusable.
        seed: of what parts ties in the drift monitor.
    """

    samples: bool = False
    terms: bool = False
    onset: int | None = None
    drift_every: float = 30 * DAY
    wait: int = 0
    gap: int | None = None
    most_bad: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.onset is not None and self.onset < 1:
            raise UsageError(f"stream: an event begins after 1 alarm or more, got {self.onset}")
        if self.wait < 0 or self.most_bad < 1 or (self.gap or 0) < 0:
            raise UsageError("stream: wait and gap must be 0 or more, the most bad lines in a row 1 or more")
        if not 0.0 <= self.drift_every < math.inf:
            raise UsageError(
                f"stream: the time between drift alarms must be 0 or more, got {self.drift_every}"
            )


class Monitor:
    """Turns the bytes of a stream into lines, each a mapping of plain JSON values with a `kind`.

    Lines are numbered by `seq`, from 0. They depend on the bytes alone, not on how these were cut: what goes
    on from a `state` gives the same lines with the same numbers. Times are seconds since the stream's first
    sample (`sample / rate`), or in samples without a rate.

    Args:
        scorer: of the stream's model.
        decoder: of the bytes.
        settings: see there.

    `exit_code` is 3 once there was a line that could not be used. Raises UsageError for settings that do not
    fit the calibration.
    """

    def __init__(self, scorer: LiveScorer, decoder: Decoder, settings: MonitorSettings) -> None:
        self.scorer, self.decoder, self.settings = scorer, decoder, settings
        self._order = Order(
            scorer.channels, settings.wait, scorer.window if settings.gap is None else settings.gap
        )
        self.stride = 0
        self._events: Events | None = None
        self._drift: DriftMonitor | None = None
        if scorer.per_unit and scorer.calibration is not None:
            reach = (scorer.per_unit - 1) * scorer.hop + scorer.window
            self.stride = math.ceil(reach / scorer.hop)
            self._events = Events(scorer.alarm_rate, self.onset, 2 * self.stride)
            if every := self._units(settings.drift_every):
                self._drift = DriftMonitor(scorer.calibration, every, settings.seed)
        self._behind = 0  # the drift monitor's last unit ends here
        self._segment = 0
        self._status = "ok"
        self._anchor: tuple[int, float] | None = None
        self._bad_in_a_row = 0
        self.counts = dict.fromkeys(("seq", "windows", "alarms", "drifts", "missing", "bad_lines", "late"), 0)

    @property
    def onset(self) -> int:
        """Windows in a row that must alarm before it is an event."""
        if self.settings.onset is not None:
            return self.settings.onset
        scorer = self.scorer
        if scorer.alarms_per_hour is not None:
            return scorer.per_unit
        a_day = DAY * scorer.rate / scorer.hop if scorer.rate else _A_DAY
        return windows_in_a_row(scorer.alarm_rate, a_day, self.stride)

    @property
    def exit_code(self) -> int:
        """0, or 3 where lines could not be used."""
        return 3 if self.counts["bad_lines"] else 0

    @property
    def hopeless(self) -> bool:
        """Whether too many lines in a row could not be used."""
        return self._bad_in_a_row >= self.settings.most_bad

    def feed(self, data: bytes) -> list[Line]:
        """Lines that the bytes give rise to; none are taken in once it is `hopeless`."""
        return self._take(self.decoder.feed(data))

    def finish(self) -> list[Line]:
        """Lines that the end of the stream gives rise to, the last of them of the kind `end`."""
        found = self._take(self.decoder.finish())
        found += self._place(self._order.flush())
        found += self._cut()
        counts = {name: count for name, count in self.counts.items() if name != "seq"}
        events = 0 if self._events is None else self._events.count
        return [*found, self._line("end", samples=self.scorer.position, **counts, events=events)]

    def state(self) -> dict[str, Any]:
        """Arrays and plain JSON values that `restore` goes on from."""
        return {
            "settings": asdict(self.settings),
            "scorer": self.scorer.state(),
            "decoder": self.decoder.state(),
            "order": self._order.state(),
            "events": None if self._events is None else self._events.state(),
            "drift": None if self._drift is None else self._drift.state(),
            "behind": self._behind,
            "segment": self._segment,
            "status": self._status,
            "anchor": None if self._anchor is None else list(self._anchor),
            "bad_in_a_row": self._bad_in_a_row,
            "counts": dict(self.counts),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state. Raises CheckpointError for one of other settings."""
        try:
            for name, own in asdict(self.settings).items():
                if state["settings"][name] != own:
                    raise CheckpointError(
                        f"state of a stream: {name} was {state['settings'][name]}, now {own}; take the same "
                        "options, or another file"
                    )
            self.scorer.restore(state["scorer"])
            self.decoder.restore(state["decoder"])
            self._order.restore(state["order"])
            for part, known in ((self._events, state["events"]), (self._drift, state["drift"])):
                if part is not None:
                    part.restore(known)
            self._behind, self._segment = int(state["behind"]), int(state["segment"])
            self._status = str(state["status"])
            anchor = state["anchor"]
            self._anchor = None if anchor is None else (int(anchor[0]), float(anchor[1]))
            self._bad_in_a_row = int(state["bad_in_a_row"])
            self.counts = {name: int(state["counts"][name]) for name in self.counts}
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(f"state of a stream: does not fit these options ({error!r})") from None

    def _take(self, items: Sequence[Row | Bad]) -> list[Line]:
        found: list[Line] = []
        for item in items:
            if self.hopeless:
                break
            if isinstance(item, Bad):
                self.counts["bad_lines"] += 1
                self._bad_in_a_row += 1
                found.append(self._line("bad_line", line=item.line, reason=item.reason))
                continue
            self._bad_in_a_row = 0
            before = self._order.late
            pieces = self._order.add(item)
            self.counts["late"] += self._order.late - before
            if self._order.late > before:
                found.append(self._line("late", samples=self._order.late - before))
            found += self._place(pieces)
        return found

    def _place(self, pieces: Sequence[Piece | Gap]) -> list[Line]:
        found: list[Line] = []
        for piece in pieces:
            if isinstance(piece, Gap):
                if not piece.masked:
                    found += self._cut()
                self.counts["missing"] += piece.missing or 0
                start = self.scorer.position
                known = {"missing": piece.missing, "segment": self._segment}
                found.append(self._line("gap", sample=start, start=self._moment(start), **known))
                continue
            if piece.time is not None:
                self._anchor = (self.scorer.position, piece.time)
            found += self._lines(self.scorer.feed(piece.values, piece.mask))
        return found

    def _cut(self) -> list[Line]:
        """End the segment."""
        found = self._lines(self.scorer.finish())
        if self._events is not None:
            found += [self._event(event) for event in self._events.finish()]
        self._segment += 1
        self._anchor = None
        return found

    def _lines(self, scores: LiveScores) -> list[Line]:
        """Samples come before the window that made them final, whatever was fed at once."""
        found: list[Line] = []
        samples = deque(scores.samples)
        for window in scores.windows:
            while samples and samples[0].start < window.start:
                found.append(self._track(samples.popleft()))
            found += self._window(window)
        return found + [self._track(piece) for piece in samples]

    def _track(self, piece: LiveSamples) -> Line:
        values = {name: track.tolist() for name, track in piece.values.items()}
        return self._line("samples", sample=piece.start, start=self._moment(piece.start), values=values)

    def _window(self, window: LiveWindow) -> list[Line]:
        self.counts["windows"] += 1
        self.counts["alarms"] += bool(window.alarm)
        known = {
            "sample": window.start,
            "start": self._moment(window.start),
            "end": self._moment(window.end),
            "status": window.status,
            "nll": window.nll,
            "score": window.score,
            "p_value": window.p_value,
            "p_source": window.p_source,
            "alarm": window.alarm,
            "height": window.height,
            "peak": None if window.peak is None else self._moment(window.peak),
        }
        if self._anchor is not None:
            at, time = self._anchor
            known["time"] = time + self._moment(window.start - at)
        if self.settings.terms:
            known["terms"] = dict(window.terms)
        found = [self._line("window", **known)]
        if window.status != self._status:
            self._status = window.status
            found.append(self._line("state", status=window.status, start=self._moment(window.start)))
        if self._events is not None:
            found += [self._event(event) for event in self._events.add(window)]
        if self._drift is not None and window.unit is not None and window.unit_start is not None:
            found += self._watch(self._drift, window)
        return found

    def _watch(self, drift: DriftMonitor, window: LiveWindow) -> list[Line]:
        assert window.unit is not None and window.unit_start is not None
        if window.unit_start < self._behind:
            return []
        self._behind = window.end
        evidence = drift.add(window.unit)
        if evidence is None:
            return []
        self.counts["drifts"] += 1
        at = self._moment(window.end)
        return [self._line("drift", drift=self.counts["drifts"], end=at, evidence=evidence)]

    def _event(self, noted: Noted) -> Line:
        known = asdict(noted.event)
        for name in ("start", "peak", "end"):
            known[name] = self._moment(known[name])
        windows = known.pop("count")
        return self._line(noted.kind, sample=noted.event.start, event=noted.number, **known, windows=windows)

    def _line(self, kind: str, **known: Any) -> Line:
        self.counts["seq"] += 1
        return {"kind": kind, "seq": self.counts["seq"] - 1, **known}

    def _moment(self, sample: int) -> float:
        return sample / self.scorer.rate if self.scorer.rate else sample

    def _units(self, every: float) -> float:
        """Units of the drift monitor in a time of seconds, or in so many windows; at least 1, 0 for 0."""
        hops = every * self.scorer.rate / self.scorer.hop if self.scorer.rate else every
        return max(1.0, hops / self.stride) if every else 0.0
