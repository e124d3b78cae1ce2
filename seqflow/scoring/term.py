"""The contract of a score term.

Shapes: B windows of T steps; D raw features of a window; n_i windows of calibration unit i.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .passes import FlowPass

Array = NDArray[np.float64]
Statistics = Mapping[str, Array]
"""What a term has learned from normal recordings, as plain arrays."""
Likelihood = Literal["of the window", "of a transform", "none"]
"""Whether a value is a normalised log-density: of the window, of a transform of it, or of nothing."""


class Term(ABC):
    """One aspect of how unusual a window is; larger is more unusual.

    A term works in two stages, so that calibration passes the recordings through the flow once and then tries
    statistics at no cost. `extract` reduces a flow pass to raw features, without any statistics. `fit` learns
    statistics from the features of normal recordings. `measure` turns features and statistics into one value
    per window; the values of a recording are pooled by mean or maximum, and `finish` has the last word, on
    the pooled value as on a single window's.
    """

    name: ClassVar[str]
    pool: ClassVar[Literal["mean", "max"]]
    likelihood: ClassVar[Likelihood] = "none"
    learns: ClassVar[tuple[str, ...]]
    """Names of the statistics that `fit` returns."""

    @abstractmethod
    def extract(self, batch: FlowPass) -> Tensor:
        """Raw features (B, D) of the windows."""

    @abstractmethod
    def fit(self, units: Sequence[Array]) -> dict[str, Array]:
        """Statistics from the features (n_i, D) of normal recordings."""

    @abstractmethod
    def measure(self, features: Array, statistics: Statistics) -> Array:
        """Value (B,) of each window from its features (B, D)."""

    def finish(self, value: Array) -> Array:
        """Last step, elementwise, on the value of a window or on the pooled value of a recording."""
        return value

    def steps(self, batch: FlowPass, statistics: Statistics) -> Tensor | None:
        """Value of each step (B, T), or None where the window's value holds for all of its steps."""
        return None


def robust(values: Array, floor: float) -> tuple[Array, Array]:
    """Median and robust deviation (1.4826 · median absolute deviation, at least `floor`) of each column."""
    location = np.median(values, axis=0)
    scale = 1.4826 * np.median(np.abs(values - location), axis=0)
    # Half of the windows alike leaves no median deviation; the plain one still knows of the other half.
    scale = np.where(scale > floor, scale, np.minimum(values.std(axis=0), 1e6))
    return location, np.maximum(scale, floor)
