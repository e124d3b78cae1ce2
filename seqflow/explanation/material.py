"""A recording as explanations take it: continuous values in memory, and what the flow is told of its windows.

Shapes: values (C, T); windows (B, C, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.filling import fill_lines
from ..data.recording import Recording
from ..errors import InputError, UsageError
from ..flow import Flow
from ..recipe import ScoreConfig
from ..scoring.calibration import Calibration
from ..scoring.judge import Scorer
from ..scoring.window_pass import WindowPass

Floats = NDArray[np.float64]

MOST_VALUES = 1 << 22
"""Most samples, over all channels, that are held at once."""


@dataclass(frozen=True)
class Material:
    """Samples `offset` .. of a recording, and the flow in float64 with what it is told of them.

    Attributes:
        flow: in float64 and evaluation mode.
        scorer: terms, window and hop of the scores.
        values: (C, T) continuous: quantised ones have uniform noise of one step, as in training.
        step: quantisation step; 0 for none.
        dither: (C, T) that noise, in steps.
        valid: (T,) true where no channel is missing; the values are straight lines elsewhere.
        offset: sample of the recording that the first of the values is.
        told: makes the context of windows.
    """

    flow: Flow
    scorer: Scorer
    values: Floats
    step: float
    dither: Floats
    valid: NDArray[np.bool_]
    offset: int
    told: WindowPass

    @property
    def window(self) -> int:
        """W, samples."""
        return self.calibration.window

    @property
    def calibration(self) -> Calibration:
        """Of normal recordings."""
        assert self.scorer.calibration is not None
        return self.scorer.calibration

    @property
    def length(self) -> int:
        """T."""
        return int(self.values.shape[1])

    def context(self, starts: Sequence[int], size: int) -> dict[str, Tensor]:
        """What the flow is told of continuous stretches that begin at these of the values."""
        return self.told.context([self.offset + start for start in starts], size, 0.0)

    def tensor(self, values: Floats) -> Tensor:
        """The values on the flow's device."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(next(self.flow.parameters()))

    def quantised(self, x: Tensor, offset: int) -> Tensor:
        """x (..., C, n) from sample `offset` on, rounded down to steps, with the noise added again.

        Gradients pass as if nothing were rounded. Samples of the material come out as they are.
        """
        if not self.step:
            return x
        noise = self.tensor(self.dither[:, offset : offset + x.shape[-1]])
        plain = x.detach()
        return x + (self.step * (torch.floor(plain / self.step) + noise) - plain)

    def starts(self, begin: int, end: int, hop: int) -> list[int]:
        """Windows every `hop` samples, and the last one, that meet the samples begin .. end - 1.

        Those with a missing sample are left out. Raises UsageError where none is left.
        """
        last = self.length - self.window
        first = max(0, (begin - self.window) // hop * hop)
        every = sorted({*range(first, min(last, end), hop), last})
        missing = np.concatenate([[0], np.cumsum(~self.valid)])
        found = [
            start
            for start in every
            if start < end and start + self.window > begin and missing[start] == missing[start + self.window]
        ]
        if not found:
            raise UsageError(
                f"explain: every window of {self.window} samples from {begin} to {end} misses a sample; "
                "choose another stretch"
            )
        return found


def material(
    flow: Flow,
    recording: Recording,
    config: ScoreConfig,
    calibration: Calibration | None,
    begin: int = 0,
    end: int | None = None,
) -> Material:
    """The samples begin .. end - 1 of a recording.

    Raises UsageError for a model without a calibration, InputError where the samples are too many, or fewer
    than a window.
    """
    if calibration is None:
        raise UsageError(
            "explain: the model has no calibration to say what is normal; train one with "
            "data.split.calibration above 0, or see seqflow calibrate"
        )
    scorer = Scorer(config, calibration, None)
    end = recording.length if end is None else end
    where = recording.path or recording.name
    if (end - begin) * recording.channels > MOST_VALUES:
        text = f"has more than {MOST_VALUES} values there; choose a shorter stretch"
        raise InputError(where, "too_large", text)
    block = recording.read(begin, end - begin)
    if block.values.shape[1] < scorer.window:
        raise InputError(where, "too_short", f"has fewer than a window of {scorer.window} samples")
    values = fill_lines(block.values.astype(np.float64), block.mask)
    step = recording.step or 0.0
    dither = np.random.default_rng(begin).random(values.shape) if step else np.zeros_like(values)
    values += step * dither
    twin = flow.in_float64()
    told = WindowPass(twin, None, recording.conditions, start=recording.start, length=recording.length)
    valid = np.asarray(block.mask.all(axis=0))
    return Material(twin, scorer, values, step, dither, valid, begin, told)
