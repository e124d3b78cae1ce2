"""What a training tells while it runs: one frozen value for each thing that happens.

Nats are per sample and in the units of the data, bits per sample; None where the data have no step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Started:
    """The training begins, or goes on after `step` steps; `processes` share every batch."""

    out: Path
    step: int
    steps: int
    train_windows: int
    valid_windows: int
    parameters: int
    device: str
    resumed: bool
    processes: int = 1


@dataclass(frozen=True)
class LeftOut:
    """A recording that is not used, with its reason code."""

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Warned:
    """Something the user should know that does not stop the training."""

    message: str


@dataclass(frozen=True)
class Step:
    """A step was taken.

    `samples_per_second` is of real samples in all channels; `grad_norm` is unclipped; `draws` is how far
    windows drawn in this step are from the data (`train.draws`), None where none were drawn.
    """

    step: int
    steps: int
    nats: float
    bits: float | None
    lr: float
    grad_norm: float
    samples_per_second: float
    eta_seconds: float
    draws: float | None = None


@dataclass(frozen=True)
class Skipped:
    """A step left the weights as they were: its loss or gradient was not finite."""

    step: int
    in_a_row: int
    total: int


@dataclass(frozen=True)
class MicroBatch:
    """Memory ran out; from here on a batch goes through in parts of `size` windows."""

    step: int
    size: int


@dataclass(frozen=True)
class Validated:
    """The averaged weights were tried on held-back windows.

    The round-trip errors are those of data -> noise -> data, relative to the data's deviation. `best`: these
    are the weights to keep so far.
    """

    step: int
    nats: float
    bits: float | None
    windows: int
    round_trip_float32: float
    round_trip_float64: float
    best: bool
    reason: str | None
    """Why they are not fit to be kept, whatever their likelihood; None for fit ones."""


@dataclass(frozen=True)
class Saved:
    """The state was saved: a resumed training goes on behind this step."""

    step: int
    path: Path


@dataclass(frozen=True)
class Calibrated:
    """Held-back normal recordings were scored; alarm rates from `attainable_rate` up can be promised."""

    units: int
    unit: str
    attainable_rate: float


@dataclass(frozen=True)
class Uncalibrated:
    """The model has no calibration, hence no p-values."""

    reason: str


@dataclass(frozen=True)
class Finished:
    """The model is ready. `step`, `nats` and `bits` are those of the validation that chose it."""

    path: Path
    step: int
    nats: float
    bits: float | None
    seconds: float
    stopped_early: bool


Event = (
    Started
    | LeftOut
    | Warned
    | Step
    | Skipped
    | MicroBatch
    | Validated
    | Saved
    | Calibrated
    | Uncalibrated
    | Finished
)
OnEvent = Callable[[Event], None]
