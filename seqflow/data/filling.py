"""Missing samples filled in along lines between their neighbours.

Shapes: values, mask (C, n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .recording import Mask, Values


def fill_lines(values: Values, mask: Mask) -> NDArray[np.float64]:
    """A copy in which what is not valid lies on straight lines; beyond the outermost valid values they go on.

    A channel without a valid sample stays as it is.
    """
    filled = np.array(values, dtype=np.float64)
    for lane, valid in zip(filled, mask, strict=True):
        if valid.any() and not valid.all():
            lane[~valid] = np.interp(np.flatnonzero(~valid), np.flatnonzero(valid), lane[valid])
    return filled
