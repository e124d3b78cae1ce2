"""FLAC on the held-out recordings: whole numbers of their steps, as lossless sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..codec import DEPTHS, MOST_CHANNELS, flac_bits, pcm_depth
from ..data.recording import Recording
from .density_results import Row
from .density_windows import HeldOut

Array = NDArray[np.floating]
Coder = Callable[[Array], NDArray[np.int64]]

_BLOCK = 1 << 16


def code_lengths(held: HeldOut, rate: float | None) -> list[Row]:
    """Rows of FLAC on the windows joined, and on whole recordings.

    Sound keeps its full scale; a series is counted in steps from its first value. There is no row where a
    recording has no step, for more channels or bits than FLAC takes, and for recordings that miss samples.
    All are counted at the finest step of the recordings, as the densities are at that of each.
    """
    steps = [one.step for one in held.recordings]
    if not all(steps) or held.x.shape[1] > MOST_CHANNELS:
        return []
    step = min(step for step in steps if step)

    def whole() -> Iterator[Iterator[Array]]:
        return (
            (np.where(block.mask, block.values, np.nan) for block in one.blocks(_BLOCK))
            for one in held.recordings
        )

    rows = []
    for name, signals in (
        ("FLAC, the windows joined", lambda: iter([iter(held.x)])),
        ("FLAC, whole recordings", whole),
    ):
        found = _coder(held.recordings[0], step, (block for blocks in signals() for block in blocks))
        if found is None:
            continue
        depth, coder = found
        begin = time.process_time()
        bits = flac_bits((map(coder, blocks) for blocks in signals()), depth, rate)
        seconds = time.process_time() - begin
        rows.append(Row(name, "code length", bits, cpu_seconds=seconds, device="cpu"))
    return rows


def _coder(like: Recording, step: float, blocks: Iterable[Array]) -> tuple[int, Coder] | None:
    """Bits of a code, and what makes codes (C, n) of values; None where there are none."""
    if like.kind == "audio":
        depth = pcm_depth(step)
        return None if depth is None else (depth, _rounded(0.0, 2.0 ** (1 - depth)))
    largest, origin = 0.0, None
    for x in blocks:
        if not np.isfinite(x).all():
            return None
        origin = np.asarray(x[:, :1], np.float64) if origin is None else origin
        largest = max(largest, float(np.abs(x - origin).max()) / step)
    depth = next((depth for depth in DEPTHS if largest < 2.0 ** (depth - 1) - 1), None)
    return None if depth is None or origin is None else (depth, _rounded(origin, step))


def _rounded(origin: Array | float, step: float) -> Coder:
    return lambda x: np.rint((np.asarray(x, np.float64) - origin) / step).astype(np.int64)
