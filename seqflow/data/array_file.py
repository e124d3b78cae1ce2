"""NumPy arrays, (n,) or (n, C): read by position, never as a whole, so that their length costs no memory."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .columns import MOST_COLUMNS
from .lattice import sample_blocks
from .recording import Block, Recording
from .regular import unreadable


class Layout(NamedTuple):
    """Where the numbers of an NPY file lie.

    Attributes:
        dtype: of the file.
        rows, columns: n and C; `rows` are those that the file really holds.
        offset: bytes before the first number.
        by_column: whether a column lies in one piece (Fortran order).
        declared: rows that the header speaks of.
    """

    dtype: np.dtype[Any]
    rows: int
    columns: int
    offset: int
    by_column: bool
    declared: int


def layout_of(path: Path) -> Layout:
    """Layout of an NPY file, by its header and its size.

    Raises InputError: `corrupt` (no NPY file), `not_numeric` (Python objects, which are never loaded, text,
    complex numbers, records), `wrong_shape`, `empty`, `truncated` (not one row is whole), `unreadable`.
    """
    try:
        with path.open("rb") as file:
            with warnings.catch_warnings():  # of headers that Python 2 has written
                warnings.simplefilter("ignore")
                shape, by_column, dtype = _header(file)
            offset = file.tell()
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise unreadable(path, error) from None
    except (
        ValueError,
        SyntaxError,
        TypeError,
        OverflowError,
        RecursionError,
        MemoryError,
        TokenError,
    ) as error:
        # Without addresses in memory: the same file gives the same text.
        text = re.sub(" at 0x[0-9a-f]+", "", " ".join(str(error).split()))[:80]
        raise InputError(path, "corrupt", f"is no NPY file: {text}; write it anew with numpy.save") from None
    if dtype.kind not in "iufb":
        what = "Python objects, which are never loaded" if dtype.hasobject else f"values of type {dtype}"
        raise InputError(path, "not_numeric", f"holds {what}; store numbers")
    if len(shape) not in (1, 2):
        raise InputError(
            path,
            "wrong_shape",
            f"has shape {shape}; give (time,) or (time, channels), one file for each stretch",
        )
    rows, columns = shape if len(shape) == 2 else (shape[0], 1)
    if rows < 1 or columns < 1:
        raise InputError(path, "empty", f"has shape {shape}; leave it out")
    if columns > MOST_COLUMNS:
        raise InputError(
            path,
            "too_large",
            f"has {columns} channels, the most is {MOST_COLUMNS}; store it as (time, channels)",
        )
    whole = (size - offset) // (columns * dtype.itemsize)
    if whole < rows and (whole < 1 or (by_column and columns > 1)):
        raise InputError(path, "truncated", f"ends before its {rows} rows are complete; copy it anew")
    return Layout(dtype, min(rows, whole), columns, offset, by_column, rows)


class NpyRecording(Recording):
    """Columns of an NPY file (n, C). Values come as float32 where the type of the file fits, else float64.

    The file is opened for every read and closed again. A memory map would do as well until the file shrinks:
    then it ends the process, where a read ends in an error.
    """

    def __init__(
        self,
        path: Path,
        layout: Layout,
        columns: tuple[int, ...],
        channel_names: tuple[str, ...],
        *,
        mono: bool = False,
        label: int | None = None,
    ) -> None:
        self.file, self.layout, self.columns, self.mono, self.label = path, layout, columns, mono, label
        self.name, self.path, self.kind = path.name, str(path), "series"
        self.channels = 1 if mono else len(columns)
        self.channel_names = channel_names
        self.rate, self.step = None, None
        self.length, self.start = layout.rows, 0
        self.status, self.detail = "ok", ""
        if layout.rows < layout.declared:
            self.status = "truncated"
            self.detail = f"the file ends after {layout.rows} of {layout.declared} rows"
        self.dtype = np.result_type(layout.dtype, np.float32)

    def read(self, start: int, frames: int) -> Block:
        """Samples by position. Raises InputError `unreadable` or `truncated` where the file has changed."""
        frames = max(0, min(frames, self.length - start))
        values = np.ascontiguousarray(self._columns(start, frames, self.columns), dtype=self.dtype)
        mask = np.isfinite(values)
        if not mask.all():
            values = np.where(mask, values, 0.0).astype(self.dtype)
        if self.mono:
            # Without one of its channels a mean is another quantity.
            mask = mask.all(axis=0, keepdims=True)
            values = np.where(mask, values.mean(axis=0, keepdims=True), 0.0).astype(self.dtype)
        return Block(values, mask)

    def labels(self) -> NDArray[np.bool_] | None:
        """The label column, true where it is neither 0 nor missing."""
        if self.label is None:
            return None
        return np.asarray(np.nan_to_num(self.column(self.label)) != 0)

    def column(self, index: int) -> NDArray[Any]:
        """One column as a whole (n,), in the type of the file."""
        return np.asarray(self._columns(0, self.length, (index,))[0])

    def columns_at(self, start: int, frames: int, columns: tuple[int, ...]) -> NDArray[Any]:
        """Rows of any columns (C, n) of the file, in its type, fewer at its end."""
        return self._columns(start, max(0, min(frames, self.length - start)), columns)

    def samples(self) -> Iterator[NDArray[Any]]:
        """Valid values of every channel in turn, (n,), in at most 16 evenly spaced blocks."""
        blocks = [self.read(start, frames) for start, frames in sample_blocks(self.length)]
        for channel in range(self.channels):
            yield np.concatenate([block.values[channel][block.mask[channel]] for block in blocks])

    def _columns(self, start: int, frames: int, columns: tuple[int, ...]) -> NDArray[Any]:
        dtype, _, width, offset, by_column, declared = self.layout
        size = dtype.itemsize
        try:
            with self.file.open("rb") as file:
                if by_column and width > 1:
                    parts = [
                        self._numbers(file, offset + (column * declared + start) * size, frames)
                        for column in columns
                    ]
                    return np.stack(parts)
                flat = self._numbers(file, offset + start * width * size, frames * width)
        except OSError as error:
            raise unreadable(self.file, error) from None
        return flat.reshape(frames, width).T[list(columns)]

    def _numbers(self, file: BinaryIO, position: int, count: int) -> NDArray[Any]:
        file.seek(position)
        raw = file.read(count * self.layout.dtype.itemsize)
        if len(raw) < count * self.layout.dtype.itemsize:
            raise InputError(self.file, "truncated", "has become shorter since it was opened; open it anew")
        numbers = np.frombuffer(raw, dtype=self.layout.dtype)
        return numbers.astype(self.layout.dtype.newbyteorder("="), copy=False)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version[0]}.{version[1]} is for records")
