"""Sequences into files that every program reads: WAV, CSV and NumPy arrays. Each whole or not at all.

Shapes: values (C, T) in the units of the data. Equal values give equal bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.io.wavfile
from numpy.typing import NDArray

from ..files import atomic, write_text
from ..scoring.results import guard

Array = NDArray[np.floating[Any]]

PCM_16 = 2.0**-15
"""The step of 16-bit audio."""


def write_sequence(
    folder: Path,
    stem: str,
    values: Array,
    *,
    form: Literal["wav", "table"],
    names: Sequence[str],
    rate: float | None,
    step: float | None,
) -> tuple[list[Path], int]:
    """Write a sequence as STEM.wav, or as STEM.csv and STEM.npy; `names` are those of the columns.

    Returns the files, and how many samples are beyond full scale, see `write_wav`.
    """
    if form == "wav":
        path = folder / f"{stem}.wav"
        return [path], write_wav(path, values, rate or 1.0, step)
    table, array = folder / f"{stem}.csv", folder / f"{stem}.npy"
    write_table(table, values, names, rate)
    write_array(array, values)
    return [table, array], 0


def write_wav(path: Path, values: Array, rate: float, step: float | None) -> int:
    """Write audio: 16-bit where its step is that of 16 bits, else 32-bit float. `rate` in Hz.

    Returns how many samples are beyond full scale: cut to it in 16-bit files, kept in files of floats. Raises
    ResourceError where the file cannot be written.
    """
    # SciPy's writer and not libsndfile's: that one puts the time of day into files of floats.
    if step == PCM_16:
        scaled = np.round(values.astype(np.float64) / PCM_16)
        frames: NDArray[Any] = np.clip(scaled, -32768, 32767).astype(np.int16)
        beyond = np.count_nonzero(frames != scaled)
    else:
        frames = values.astype(np.float32)
        beyond = np.count_nonzero(np.abs(values) > 1.0)
    with atomic(path) as file:
        scipy.io.wavfile.write(file, round(rate), np.ascontiguousarray(frames.T))
    return int(beyond)


def write_table(path: Path, values: Array, names: Sequence[str], rate: float | None) -> None:
    """Write a CSV with a column for each channel and, with a rate (Hz), first the `time` in seconds.

    Numbers have as many digits as bring back the dtype of the values; names that a spreadsheet would take for
    formulas get an apostrophe. Raises ResourceError where the file cannot be written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(["time"] if rate else []), *map(guard, names)])
    for index, row in enumerate(values.T):
        writer.writerow([*([repr(index / rate)] if rate else []), *map(str, row)])
    write_text(path, text.getvalue())


def write_array(path: Path, values: Array) -> None:
    """Write a .npy file (T, C). Raises ResourceError where it cannot be written."""
    with atomic(path) as file:
        np.save(file, np.ascontiguousarray(values.T), allow_pickle=False)


def column_names(names: Sequence[str], channels: int) -> list[str]:
    """The names of the channels, or where they have none x1, x2 and so on."""
    return list(names) or [f"x{number}" for number in range(1, channels + 1)]
