"""Training: a recipe and recordings make a model; resumable to the bit."""

from .events import (
    Calibrated,
    Event,
    Finished,
    LeftOut,
    MicroBatch,
    OnEvent,
    Saved,
    Skipped,
    Started,
    Step,
    Uncalibrated,
    Validated,
    Warned,
)
from .session import train

__all__ = [
    "Calibrated",
    "Event",
    "Finished",
    "LeftOut",
    "MicroBatch",
    "OnEvent",
    "Saved",
    "Skipped",
    "Started",
    "Step",
    "Uncalibrated",
    "Validated",
    "Warned",
    "train",
]
