"""A recording of any length through the flow, window by window, in constant memory.

Shapes: windows (B, C, W).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..flow import Flow
from .background import Background
from .passes import FlowPass
from .slide import Slider, Window
from .states import StateTracker, Verdict
from .window_pass import WindowPass

BLOCK = 1 << 16
"""Samples read at a time. Results do not depend on it."""


class Stream:
    """Iterates over (starts, flow pass) of the windows of a recording, in batches; once.

    Batches hold `batch` consecutive windows, counted from the recording's beginning: neither the reading
    blocks nor other recordings have a say in what is computed together, so results are the same to the bit.
    The flow is told what is declared about the recording, see `WindowPass`.

    Raises UsageError where window or hop do not fit the flow or each other, and InputError with the code
    `wrong_channels` or `wrong_rate` where the recording is not of the model's kind.
    """

    def __init__(
        self,
        flow: Flow,
        recording: Recording,
        window: int,
        hop: int,
        *,
        batch: int,
        silence_db: float,
        block: int = BLOCK,
        background: Background | None = None,
    ) -> None:
        check_window(flow, window, hop)
        _check_kind(flow, recording)
        self.recording = recording
        self._state = StateTracker(
            recording.channels, recording.kind == "audio", silence_db, recording.channel_names
        )
        self._windows = 0
        self._flow = flow
        self._pass = WindowPass(
            flow,
            recording.step,
            recording.conditions,
            start=recording.start,
            length=recording.length,
            background=None if background is None else background.flow,
        )
        self._slider = Slider(window, hop)
        self._batch = batch
        self._block = block

    @property
    def samples(self) -> int:
        """Samples per channel read so far."""
        return self._state.samples

    def verdict(self) -> Verdict:
        """State of the recording; complete once the iteration has ended."""
        # The recording knows of its own faults only now that it has been read to its end.
        fault = (self.recording.status, self.recording.detail)
        return self._state.verdict(self._slider.window, self._windows, fault)

    def __iter__(self) -> Iterator[tuple[list[int], FlowPass]]:
        windows = self._slide()
        while batch := list(islice(windows, self._batch)):
            self._windows += len(batch)
            yield [window.start for window in batch], self._pass(batch)

    def _slide(self) -> Iterator[Window]:
        for values, mask in self.recording.blocks(self._block):
            self._state.add(values, mask)
            yield from self._slider.feed(values, mask)
        yield from self._slider.finish()

    def notes(self) -> list[str]:
        """Lines on conditions of the model that the recording has no known value for."""
        return [f"condition {line}" for line in self._flow.classes.unknown(self.recording.conditions)]


def check_window(flow: Flow, window: int, hop: int) -> None:
    """Raise UsageError unless the flow takes windows of this length and the hop leaves no sample out."""
    if window < 1 or window % flow.divisor:
        raise UsageError(f"window: {window} samples is not a positive multiple of {flow.divisor}")
    if not 1 <= hop <= window:
        raise UsageError(f"score.hop: must lie between 1 and the window of {window} samples, got {hop}")


def _check_kind(flow: Flow, recording: Recording) -> None:
    where = recording.path or recording.name
    if recording.channels != flow.channels:
        many = f"{recording.channels} channel{'s' * (recording.channels != 1)}"
        text = f"has {many}, the model {flow.channels}; leave it out, or "
        text += "train a model with other data.channels"
        raise InputError(where, "wrong_channels", text)
    if recording.rate and flow.rate and not math.isclose(recording.rate, flow.rate, rel_tol=1e-6):
        text = f"has {recording.rate:g} Hz, the model {flow.rate:g} Hz; resample it"
        raise InputError(where, "wrong_rate", text)
