"""A recording of any length through the flow, window by window, in constant memory.

Shapes: windows (B, C, W).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor

from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..flow import Flow
from .passes import FlowPass, flow_pass
from .slide import Slider, Window
from .states import StateTracker, Verdict

BLOCK = 1 << 16
"""Samples read at a time. Results do not depend on it."""


class Stream:
    """Iterates over (starts, flow pass) of the windows of a recording, in batches; once.

    Batches hold `batch` consecutive windows, counted from the recording's beginning: neither the reading
    blocks nor other recordings have a say in what is computed together, so results are the same to the bit.
    The flow is told what is declared about the recording; what it does not know counts as unknown.
    The flow runs in evaluation mode (noise of dequantisation addressed by position) and is put back into its
    mode afterwards.

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
    ) -> None:
        check_window(flow, window, hop)
        _check_kind(flow, recording)
        self.recording = recording
        self._state = StateTracker(
            recording.channels, recording.kind == "audio", silence_db, recording.channel_names
        )
        self._windows = 0
        self._flow = flow
        self._like = _like(flow)
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
        training = self._flow.training
        windows = self._slide()
        try:
            while batch := list(islice(windows, self._batch)):
                self._flow.eval()
                self._windows += len(batch)
                yield [window.start for window in batch], self._pass(batch)
        finally:
            self._flow.train(training)

    def _slide(self) -> Iterator[Window]:
        for values, mask in self.recording.blocks(self._block):
            self._state.add(values, mask)
            yield from self._slider.feed(values, mask)
        yield from self._slider.finish()

    def _pass(self, batch: list[Window]) -> FlowPass:
        like = self._like
        # Finite values beyond the range of the flow's dtype stay finite.
        x = torch.nan_to_num(torch.from_numpy(np.stack([window.values for window in batch])).to(like))
        position = torch.tensor([self.recording.start + window.start for window in batch], device=like.device)
        # 0 as in training: no lattice, no noise.
        step = like.new_full((len(batch),), self.recording.step or 0.0)
        context = {"position": position, "step": step, "span": self._spans(batch).to(like)}
        if self._flow.classes:
            vector = torch.from_numpy(self._flow.classes.vector(self.recording.conditions))
            context["condition"] = vector.to(like).expand(len(batch), -1)
        return flow_pass(self._flow, x, context)

    def _spans(self, batch: list[Window]) -> torch.Tensor:
        """Begin and end of each window as fractions of the recording."""
        length = max(self.recording.length, 1)
        ends = [(window.start, window.start + window.values.shape[-1]) for window in batch]
        return torch.tensor(ends, dtype=torch.float64) / length

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


def _like(flow: Flow) -> Tensor:
    """A tensor of the flow's device and floating dtype."""
    for tensor in chain(flow.parameters(), flow.buffers()):
        if tensor.is_floating_point():
            return tensor.detach()
    return torch.zeros(0)
