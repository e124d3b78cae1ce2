"""What windows say of themselves and, averaged, of every sample: one path for recordings and live streams.

Shapes: B windows of W steps; K terms; n consecutive samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .calibration import finished, measures
from .judge import Scorer
from .overlap import OverlapAverage
from .passes import FlowPass
from .place import Place
from .term import Array

Sink = Callable[[int, Array], None]
"""Takes the first sample and the averages (tracks, n) of samples that are final, in order, without gaps."""


class Measured(NamedTuple):
    """Of windows: measures (B, K) before pooling, values (B, K), and per-step values (B, tracks, W)."""

    rows: Array
    values: Array
    steps: Array


def track_names(terms: Sequence[str], calibrated: bool) -> list[str]:
    """Names of the per-sample values: `nll`, the terms, and with a calibration `place`, see `Place`."""
    return ["nll", *(name for name in terms if name != "nll"), *([Place.name] if calibrated else [])]


class Sweep:
    """Measures windows, which come in order of their starts, and averages their steps over what they cover.

    Args:
        scorer: terms and what they have learned.
        tracks: names of the per-sample values, of `track_names`.
        sink: given the samples that are final.
    """

    def __init__(self, scorer: Scorer, tracks: Sequence[str], sink: Sink) -> None:
        self._scorer = scorer
        self.tracks = list(tracks)
        self._sink = sink
        self._average = OverlapAverage(len(self.tracks))
        self._covered = 0

    def add(self, starts: Sequence[int], batch: FlowPass) -> Measured:
        """Take in windows that begin at `starts`; nothing but gaps before them becomes final by that."""
        features = {term.name: term.extract(batch).cpu().numpy() for term in self._scorer.terms}
        rows = measures(self._scorer.terms, features, self._scorer.statistics)
        values = finished(self._scorer.terms, rows)
        found = self._steps(batch, values)
        for start, steps in zip(starts, found, strict=True):
            if start > self._covered:
                # A gap: nothing before it is still to come, however long it is.
                self.drain(start)
            self._average.add(start, steps)
            self._covered = start + steps.shape[-1]
        return Measured(rows, values, found)

    def drain(self, upto: int) -> None:
        """Give away the samples below `upto`, which no further window covers."""
        for start, piece in self._average.drain(upto):
            self._sink(start, piece)

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on from here: arrays and numbers."""
        return {"average": self._average.state(), "covered": self._covered}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._average.restore(state["average"])
        self._covered = int(state["covered"])

    def _steps(self, batch: FlowPass, values: Array) -> Array:
        """(B, tracks, W) per-step values."""
        length = batch.x.shape[-1]
        place = self._scorer.place
        found: dict[str, Array] = {"nll": batch.nll.cpu().numpy()}
        for column, term in enumerate(self._scorer.terms):
            if term.name in self.tracks or (place is not None and column == place.local):
                own = term.steps(batch, self._scorer.statistics[term.name])
                found[term.name] = (
                    np.repeat(values[:, column, None], length, axis=1) if own is None else own.cpu().numpy()
                )
        if place is not None:
            found[Place.name] = place.steps(values, found.get("local"), length)
        return np.stack([found[name] for name in self.tracks], axis=1)
