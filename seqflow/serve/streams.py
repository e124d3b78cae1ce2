"""What the child process of live streams does: pieces of many streams to the lines of `seqflow stream`."""

from __future__ import annotations

import base64
from typing import Any

from ..errors import UsageError
from ..jobs.alarms import Alarms
from ..jobs.stream import decoder_of, live_scorer
from ..jobs.stream_options import stream_options
from ..jobs.stream_sink import text_of
from ..live import Monitor
from ..model import Model
from ..runtime import repeatable, set_threads
from .child import Ready
from .confine import confine
from .limits import Limits


def start(file: str, device: str, limits: Limits) -> Ready:
    """The model in memory, and the work: a task to an answer.

    A task has `do` and `stream`, a number. `open` begins one, with `format`, `alarm_rate`, `terms` and
    `onset`; `feed` gives it `data`, bytes in base64; `finish` ends it, `drop` forgets it. An answer has
    `lines`, JSON as text; the `position` of the stream in samples; and where it cannot go on, `code` and
    `detail`.
    """
    set_threads(1)
    model = Model.load(file, device)
    if model.device.type == "cpu":
        confine(limits.memory)
    streams = _Streams(model)

    def work(task: Any) -> dict[str, Any]:
        with repeatable(model.device):
            return streams.do(task)

    return work, {"channels": model.channels, "rate": model.rate}


class _Streams:
    def __init__(self, model: Model) -> None:
        self._model = model
        self._monitors: dict[int, Monitor] = {}

    def do(self, task: dict[str, Any]) -> dict[str, Any]:
        number = task["stream"]
        if task["do"] == "open":
            return self._open(number, task)
        monitor = self._monitors.get(number)
        if monitor is None:
            return _failed("lost", "the process of the stream died; begin anew")
        match task["do"]:
            case "feed":
                lines = monitor.feed(base64.b64decode(task["data"]))
            case "finish":
                lines = monitor.finish()
            case _:
                lines = []
                del self._monitors[number]
        answer = {"lines": [text_of(line) for line in lines], "position": monitor.scorer.position}
        if monitor.hopeless:
            most = monitor.settings.most_bad
            answer |= _failed("not_rows", f"{most} lines in a row cannot be used; check ?format=")
        return answer

    def _open(self, number: int, task: dict[str, Any]) -> dict[str, Any]:
        try:
            options = stream_options(
                self._model,
                onset=task["onset"],
                drift_every=None,
                samples=False,
                terms=task["terms"],
                wait="0",
                gap=None,
                most_bad=100,
                state=None,
                state_every=1.0,
                replay=False,
                format=task["format"],
                alarms=Alarms(task["alarm_rate"]),
            )
            settings = options.settings
            scorer = live_scorer(
                self._model, alarms=options.alarms, onset=settings.onset, format=options.format
            )
            monitor = Monitor(scorer, decoder_of(self._model, task["format"]), settings)
        except UsageError as error:
            return _failed("unsuitable", str(error))
        self._monitors[number] = monitor
        start = {
            "kind": "start",
            "channels": scorer.channels,
            "rate": scorer.rate,
            "window": scorer.window,
            "hop": scorer.hop,
            "alarm_rate": scorer.alarm_rate if scorer.per_unit else None,
            "windows_to_onset": monitor.onset if scorer.per_unit else None,
        }
        return {"lines": [text_of(start)], "position": 0}


def _failed(code: str, detail: str) -> dict[str, Any]:
    return {"code": code, "detail": detail}
