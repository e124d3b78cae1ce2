"""The detector on every channel of a series, so that it is known what each adds.

Shapes: values, mask, shares (C, T); a track (T,).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data.recording import Mask
from ..detector import FUSED
from ..shapes import ShapeDetector
from ..shapes.window_model import window_lengths
from .detect_series import Floats


class Tracks(NamedTuple):
    """Scores of a series by channel and over all.

    Attributes:
        tracks: by name, `fused` first: the sum of the shares. Of the others a sample is NaN where one of the
            channels is missing that they are summed over.
        shares: (C, T), what each channel adds to `fused`; NaN where it is missing, 0 for flags and for
            channels that hold one value.
        periods, windows: of each channel; None and () for those.
        flags: (C,), true for channels with two values, or with one where they are fitted.
        kinds: of each track, see `Detected`.
        couplings: of each channel what became of them at each window length; () where none were tried.
    """

    tracks: dict[str, Floats]
    shares: Floats
    periods: tuple[int | None, ...]
    windows: tuple[tuple[int, ...], ...]
    flags: Mask
    kinds: Mapping[str, str]
    couplings: tuple[Sequence[Mapping[str, Any]], ...]


def detect_channels(
    detector: ShapeDetector, values: Floats, mask: Mask, train: int | None, whole: bool
) -> Tracks:
    """Run the detector once for each channel that moves: the sum is what one call for these gives.

    `values` are finite, `mask` says where they come from the file; `train` and `whole` as of a call. Raises
    UsageError for fewer than 32 samples.
    """
    values = _scaled(values)
    length = values.shape[1]
    known = length if train is None else train
    seen = values[:, :known] if not whole else values
    # What never moves has nothing to add, not even rounding.
    dead = values.max(axis=1) == values.min(axis=1)
    flags = ~dead & np.array([len(np.unique(channel)) <= 2 for channel in seen])
    if flags[~dead].all():  # then the detector takes none for one
        flags[:] = False
    used = ~dead & ~flags
    shares = np.zeros(values.shape)
    periods: list[int | None] = [None] * len(values)
    windows: list[tuple[int, ...]] = [()] * len(values)
    summed: dict[str, Floats] = {}
    kinds: dict[str, str] = {}
    couplings: list[Sequence[Mapping[str, Any]]] = [()] * len(values)
    for number, index in enumerate(np.flatnonzero(used)):
        # Flags are looked at together, beside one channel that is none.
        rows = [int(index), *(np.flatnonzero(flags).tolist() if number == 0 else [])]
        found = detector(values[rows], train, whole)
        shares[index] = found.tracks[FUSED]
        periods[index] = found.notes["periods"][0]
        kinds |= found.kinds
        couplings[index] = found.notes.get("couplings", [()])[0]
        windows[index] = window_lengths(periods[index], known, detector.fixed, detector.shortest)
        for name, track in found.tracks.items():
            summed[name] = summed[name] + track if name in summed else np.array(track, np.float64)
    shares[~mask] = np.nan
    plain = mask[used]
    fused = np.where(plain.any(axis=0), np.nansum(shares, axis=0), np.nan)
    others = {
        name: _hidden(track, mask[flags] if name == "flags" else plain) for name, track in summed.items()
    }
    return Tracks(
        {**others, FUSED: fused},
        shares,
        tuple(periods),
        tuple(windows),
        flags,
        kinds,
        tuple(couplings) if any(couplings) else (),
    )


def _scaled(values: Floats) -> Floats:
    """Each channel by a power of two: no score changes, and huge and tiny units come within reach."""
    # Halves: the range of the largest numbers would overflow.
    _, exponent = np.frexp(values.max(axis=1) / 2 - values.min(axis=1) / 2)
    return np.asarray(np.ldexp(values, -exponent[:, None]))


def _hidden(track: Floats, mask: Mask) -> Floats:
    return np.where(mask.all(axis=0), track, np.nan)
