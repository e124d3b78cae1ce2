"""Per-sample scores in a file, written while they stream by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np

from .term import Array


class TrackFile:
    """A NumPy file (.npy) with one record for each sample, and a float32 field for each track.

    `numpy.load(path)["place"]` is a (T,) track; `numpy.load(path, mmap_mode="r")` reads no more
    than is looked at. Samples without a score are NaN. Memory: what is given to `add`.

    Args:
        file: open for writing, empty.
        names: of the tracks.
    """

    def __init__(self, file: BinaryIO, names: Sequence[str]) -> None:
        self._file = file
        self._type = np.dtype([(name, "<f4") for name in names])
        self._count = 0
        self._header()

    def add(self, start: int, values: Mapping[str, Array]) -> None:
        """Write the values (n,) of each track; calls come in order, without gaps."""
        rows = np.empty(len(next(iter(values.values()))), self._type)
        for name in self._type.names or ():
            rows[name] = values[name]
        self._file.write(rows.tobytes())
        self._count += len(rows)

    def finish(self) -> None:
        """Put the number of samples, known by now, into the header."""
        self._file.seek(0)
        self._header()

    def _header(self) -> None:
        # NumPy leaves room in the header for a length of any size: it can be written over.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._type),
                "fortran_order": False,
                "shape": (self._count,),
            },
        )
