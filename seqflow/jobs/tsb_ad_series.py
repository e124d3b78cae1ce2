"""Series of the TSB-AD benchmark: what their names say, and what is in their files.

A file is a CSV with value columns and a column `Label`, 0 or 1, and is named such as
`001_NAB_id_1_Facility_tr_1007_1st_2014.csv`: the source is the second part, and `tr_1007` says that its first
1007 points are there to fit on.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..data.discover import find_files
from ..data.filling import fill_lines
from ..data.open import open_recordings
from ..errors import InputError, UsageError
from ..recipe.data import SeriesData

Floats = NDArray[np.float64]
Item = TypeVar("Item")

LABEL = "Label"
_SOURCE = re.compile(r"\d+_([^_]+)_")
_TRAIN = re.compile(r"_tr_(\d{1,12})(?=[_.])")


class Series(NamedTuple):
    """What a series holds.

    Attributes:
        values: (C, T), finite.
        labels: (T), true where a point is anomalous.
        filled: values that were missing, and were filled in along a line between their neighbours.
    """

    values: Floats
    labels: NDArray[np.bool_]
    filled: int


def find_series(folder: Path, out: Path) -> tuple[list[str], dict[str, InputError]]:
    """Names of the CSV files in a folder, sorted, and those that are no file one can read.

    Raises UsageError where the folder is not there or holds none, or where it is `out`, whose tables would be
    taken for series.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder; give the one with the CSV files of TSB-AD")
    if out.resolve() == folder.resolve():
        raise UsageError(f"{out}: holds the series; choose another folder for the results (--out)")
    faults: dict[str, InputError] = {}

    def report(error: InputError) -> None:
        if error.path.endswith(".csv"):
            faults[os.path.relpath(error.path, folder)] = error

    try:
        names = [path.name for path in find_files(_config(folder), report)]
    except UsageError:
        names = []
    if not names and not faults:
        raise UsageError(f"{folder}: holds no CSV files; give the folder with the series of TSB-AD")
    return names, faults


def spread(items: list[Item], limit: int | None) -> list[Item]:
    """At most `limit` of the items, evenly spread over their order. Raises UsageError for a limit below 1."""
    if limit is None:
        return items
    if limit < 1:
        raise UsageError(f"limit: {limit} series have no mean; give 1 or more")
    if limit >= len(items):
        return items
    return [items[(2 * i + 1) * len(items) // (2 * limit)] for i in range(limit)]


def source_of(name: str) -> str:
    """The source that a name gives, such as NAB; empty where it gives none."""
    found = _SOURCE.match(name)
    return found[1] if found else ""


def train_of(path: Path) -> int:
    """The length of the train prefix that a name gives. Raises InputError `no_prefix` where it gives none."""
    found = _TRAIN.search(path.name)
    if found is None or int(found[1]) < 1:
        raise InputError(
            path, "no_prefix", "its name gives no length to fit on, as _tr_1007 does; use --protocol whole"
        )
    return int(found[1])


def window_of(path: Path, windows: Mapping[str, int]) -> int:
    """The buffer window that a table gives. Raises InputError `no_window` where it has none."""
    if path.name not in windows:
        raise InputError(path, "no_window", "is not in the table of windows; leave --windows out to estimate")
    return windows[path.name]


def read_series(path: Path) -> Series:
    """The series in a file. Raises InputError: what `open_series` raises for a file that is not sound,
    `nonfinite` for a channel without a finite value."""
    (recording,) = open_recordings(path, _config(path.parent), name=path.name, strict=True)
    block = recording.read(0, recording.length)
    labels = recording.labels()
    if labels is None:
        raise InputError(path, "missing_column", f"has no column {LABEL}")
    for channel, valid in enumerate(block.mask):
        if not valid.any():
            raise InputError(path, "nonfinite", f"channel {channel} has no finite value at all")
    return Series(fill_lines(block.values, block.mask), labels, int((~block.mask).sum()))


def group_of(labels: NDArray[np.bool_]) -> str:
    """A name for the label vector: series with the same labels at the same length share it."""
    bits = np.packbits(labels).tobytes()
    return hashlib.sha256(len(labels).to_bytes(8, "little") + bits).hexdigest()[:16]


def _config(folder: Path) -> SeriesData:
    return SeriesData(
        kind="series", root=str(folder), files=("*.csv",), label=LABEL, time=None, step=0.0, window=2
    )
