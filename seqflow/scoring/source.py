"""What scoring reads: anything that hands out its samples block by block.

Shapes: values (C, n) in the units of the recording; mask (C, n), true where a sample is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


class Block(NamedTuple):
    """Consecutive samples: values (C, n), and mask (C, n) of the valid ones."""

    values: Values
    mask: Mask


@dataclass(frozen=True)
class Source:
    """A recording, or a part of one.

    Attributes:
        name: short name for tables.
        blocks: blocks(frames) iterates over all samples in order, in blocks of at most `frames` of them.
        channels: number of channels C.
        path: file it comes from; "" for none.
        kind: "audio" or "series".
        rate: Hz; None for data without a clock.
        step: quantisation step in the units of the values; None where there is none.
        start: index in its recording of the first sample handed out.
        status: "ok", or the reason code of a fault that still lets it be read (as `truncated`).
    """

    name: str
    blocks: Callable[[int], Iterator[Block]]
    channels: int
    path: str = ""
    kind: str = "series"
    rate: float | None = None
    step: float | None = None
    start: int = 0
    status: str = "ok"


def from_array(
    values: Values,
    *,
    name: str = "array",
    kind: str = "series",
    rate: float | None = None,
    step: float | None = None,
    start: int = 0,
) -> Source:
    """An array (C, T) or (T,) in memory. NaN and infinite samples count as missing.

    Raises ValueError for an array of another shape.
    """
    array = np.asarray(values)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[0] < 1:
        raise ValueError(f"expected (channels, time) or (time,), got shape {np.shape(values)}")

    def blocks(frames: int) -> Iterator[Block]:
        for begin in range(0, array.shape[1], frames):
            part = array[:, begin : begin + frames]
            yield Block(part, np.isfinite(part))

    return Source(name, blocks, array.shape[0], "", kind, rate, step, start)
