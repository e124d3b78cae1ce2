"""Where a recording is unusual: one value a sample, made of all terms.

Shapes: B windows of T steps; K terms; N windows of the calibration.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .term import Array, Term

# What either factor counts where it sees nothing: the other one still tells more from less.
_LEAST_WINDOW = 0.5
_LEAST_LOCAL = 0.3
# Values that differ by less than this share of their size are constant up to rounding.
_LEAST_UNIT = 1e-6


def heights(values: Array) -> Array:
    """(2, K) from the values (N, K) of normal windows: the median, and 1/(the 0.9 quantile - the median).

    The latter is 0 for a term that never moves. So (value - median)·inverse is 0 for a usual window and 1 for
    a high one, whatever the term.
    """
    level = np.median(values, axis=0)
    unit = np.quantile(values, 0.9, axis=0) - level
    moves = unit > _LEAST_UNIT * (1e-9 + np.abs(level))
    return np.stack([level, np.where(moves, 1.0 / np.where(moves, unit, 1.0), 0.0)])


class Place:
    """w·sqrt(l): w says which windows are unusual, l which of their steps.

    w is the mean over the terms that value whole windows of their `heights`, those above 1 as 1 + ln h (as in
    `Local`), at least 0.5; l is the term `local`, at least 0.3. Either may see what the other does not: a
    click moves no statistic of its window, and silence has no unlikely step. 1 is high for a normal window.

    `nll` counts only where no other term values windows: two-sided it is `typicality`, and step by step a
    part of `local`. Without the term `local`, w alone tells the place.
    """

    name = "place"

    def __init__(self, terms: Sequence[Term], heights: Array) -> None:
        names = [term.name for term in terms]
        self.local = names.index("local") if "local" in names else None
        self._whole = [k for k, name in enumerate(names) if name not in ("nll", "local")]
        if not self._whole and self.local is None:
            self._whole = list(range(len(names)))
        self._level, self._inverse = heights

    def steps(self, values: Array, local: Array | None, length: int) -> Array:
        """(B, T) from the windows' values (B, K) and the steps (B, T) of `local`; None without that term."""
        height = ((values - self._level) * self._inverse)[:, self._whole]
        softened = np.where(height > 1.0, 1.0 + np.log(np.maximum(height, 1.0)), height)
        if local is None:
            return np.repeat(softened.mean(axis=1)[:, None], length, axis=1)
        if not self._whole:
            return local
        whole = np.maximum(softened.mean(axis=1), _LEAST_WINDOW)
        return np.asarray(whole[:, None] * np.sqrt(np.maximum(local, _LEAST_LOCAL)))
