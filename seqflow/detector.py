"""What a benchmark asks of a detector: a series in, scores of its samples out.

Shapes: values (C, T), float64; a track (T,), the larger the more unusual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FUSED = "fused"
"""Name of the track that is the detector's answer where there is no reason to choose another."""


@dataclass(frozen=True)
class Detected:
    """Scores of a series.

    Attributes:
        tracks: per-sample scores (T,) by name; `fused` is the one to look at first.
        fit_seconds, score_seconds: time it took to fit, and to score.
        notes: what the detector found out on its way, in what JSON has: a period, a window, what it kept.
        kinds: of each track, whether it is a likelihood, and of what; {} where the detector does not say.
    """

    tracks: Mapping[str, NDArray[np.floating[Any]]]
    fit_seconds: float
    score_seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


class Detect(Protocol):
    """A function of a module, or an instance of a frozen dataclass whose fields are its settings.

    Worker processes find it by its name, and results are known by its settings: a local function will not do.
    """

    def __call__(self, values: NDArray[np.float64], train: int | None, /, whole: bool) -> Detected:
        """Scores of all samples of the series `values` (C, T), which are finite.

        The first `train` samples are known to be normal; with None, nothing is. `whole`: the whole series may
        be fitted on, else only those. May raise InputError or UsageError for a series that it cannot score.
        """
        ...
