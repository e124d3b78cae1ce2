"""What a reference density comes to on the test windows.

Shapes: training data are stretches without gaps, a list of (n,) arrays for one channel; test windows (W, T).
All are float64, with uniform noise of one step on values that lie on a lattice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOG_2PI = float(np.log(2.0 * np.pi))


class Unfit(Exception):  # noqa: N818
    """A density cannot be had from these data; the message says why."""


class Fit(NamedTuple):
    """Minus the log-density of each test window (W,), nats, how many numbers were fitted, and what to add."""

    nats: Array
    parameters: int
    note: str = ""


def normal_nats(e: Array, variance: Array | float) -> Array:
    """Minus the log-density of zero-mean normal values, elementwise."""
    return np.asarray(0.5 * (e**2 / variance + np.log(variance) + LOG_2PI))


def cut(train: list[Array], length: int, hop: int | None = None) -> Array:
    """All windows (N, length) every `hop` samples, half a length where it is None, of the stretches.

    Stretches shorter than a window give none. Raises Unfit where there is no window at all.
    """
    step = hop or max(1, length // 2)
    windows = [sliding_window_view(r, length)[::step] for r in train if len(r) >= length]
    if not windows:
        raise Unfit(f"no training stretch has the {length} samples of a window")
    return np.concatenate(windows)
