"""The detector of shapes with couplings over its mixtures, where they help.

Shapes: a channel (T,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..detector import FUSED
from ..shapes import ShapeDetector, WindowModel
from ..shapes.detector import Scores, Timer
from .selection import Array, select


@dataclass(frozen=True)
class FlowDetector(ShapeDetector):
    """A ShapeDetector whose mixtures, one for each window length, may have couplings before them.

    For each length they are trained on a part of what is known to be normal, and kept where windows held back
    are more likely with them than by any mixture without, see `selection.select`. All else is a
    ShapeDetector's; where none is kept, so is every score. What is not known to be normal trains nothing.

    Notes: `couplings`, for each channel the `Verdict` of each length.

    Attributes:
        train: seconds of CPU for each window length of each channel.
        steps: of a training, at most.
        couplings: how many.
        compare: whether to give two more tracks, made like `fused`: `never`, that of the ShapeDetector, and
            `always`, with couplings wherever they could be trained.
    """

    train: float = 5.0
    steps: int = 1_000
    couplings: int = 4
    compare: bool = False

    def _mixture(self, x: Array, length: int, floor: float) -> WindowModel:
        return self._model(np.asarray(x), length, self.shape, 0.0, floor)

    def _surprises(
        self, models: Sequence[WindowModel], z: Scores, fit: int, trim: float, timer: Timer
    ) -> tuple[dict[str, list[Scores]], dict[str, Any]]:
        plain, _ = super()._surprises(models, z, fit, trim, timer)
        if trim > 0.0:
            return plain, {}
        seen = z[:fit]
        never = plain[FUSED]
        selected, always, verdicts = list(never), list(never), []
        for index, model in enumerate(models):
            with timer:
                verdict, coupled = select(
                    seen,
                    model.length,
                    self._mixture,
                    seconds=self.train,
                    couplings=self.couplings,
                    steps=self.steps,
                    seed=self.seed,
                    always=self.compare,
                )
            verdicts.append(verdict.plain())
            if coupled is not None:
                always[index] = coupled.track(z)
                selected[index] = always[index] if verdict.kept else never[index]
        notes = {"couplings": verdicts}
        if not self.compare:
            return {FUSED: selected}, notes
        return {FUSED: selected, "never": never, "always": always}, notes
