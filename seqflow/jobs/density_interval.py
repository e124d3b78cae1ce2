"""How sure a mean over windows is: windows of a recording belong together, and so do neighbours in time.

Shapes: values and groups (W,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_DRAWS = 2000
_BLOCKS = 32


def groups(which: Index, position: Index, length: int) -> tuple[Index, str]:
    """What is drawn together, and what to call it: recordings, or of a single one blocks of time.

    Blocks are equal in number of windows, at most 32, and no more than there are windows side by side between
    the first sample and the last.
    """
    if len(which) == 0 or (which != which[0]).any():
        return which, "recordings"
    span = int(position.max() - position.min()) + length
    count = max(1, min(_BLOCKS, span // length, len(which)))
    order = np.argsort(np.argsort(position, kind="stable"), kind="stable")
    return np.asarray(order * count // len(which), np.int64), "blocks of time"


def interval(values: Array, group: Index, seed: int = 0) -> tuple[float, float] | None:
    """95% interval of the mean groups drawn with replacement; None for fewer than two groups."""
    names, index = np.unique(group, return_inverse=True)
    if len(names) < 2:
        return None
    total, count = np.bincount(index, values), np.bincount(index)
    drawn = np.random.default_rng(seed).integers(len(names), size=(_DRAWS, len(names)))
    low, high = np.quantile(total[drawn].sum(1) / count[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)
