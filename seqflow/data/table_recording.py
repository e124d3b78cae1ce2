"""A table becomes recordings: its channels, in even steps of time, in the smallest type that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import InputError
from ..recipe.data import SeriesData
from .columns import pick
from .lattice import common_step, sampled
from .numbers import text_of
from .recording import ArrayRecording, Recording, Values
from .regularity import JITTER, Arrangement, arrange
from .table import Table
from .timestamps import parse_times


class SeriesRecording(ArrayRecording):
    """A series in memory, with its labels (length,) where it has some.

    `stamps` are the columns of time stamps as they are in the file, and `order` the row of every sample, -1
    for a masked one; None: rows are samples.
    """

    def __init__(
        self,
        values: Values,
        labels: NDArray[np.bool_] | None,
        stamps: Sequence[pa.ChunkedArray] = (),
        order: NDArray[np.int64] | None = None,
    ) -> None:
        super().__init__(values)
        self._labels, self._stamps, self._order = labels, stamps, order

    def labels(self) -> NDArray[np.bool_] | None:
        """True where the file calls a sample anomalous; masked samples in gaps are not."""
        return self._labels

    def time_of(self, index: int) -> str | None:
        """The time stamp as the file has it, date and time of day joined; None for a sample in a gap."""
        row = index if self._order is None else int(self._order[index])
        return " ".join(text_of(cells[row]) for cells in self._stamps) or None if row >= 0 else None


def recordings_of(
    path: Path,
    table: Table,
    config: SeriesData,
    names: tuple[str, ...] | None,
    *,
    strict: bool,
    times: bool = False,
) -> list[Recording]:
    """One recording, or one for every stretch without a gap where `irregular: split` cuts.

    `strict` refuses rows that share a time. `times` keeps the time stamps in memory, for `time_of`. Raises
    InputError: `timestamps`, `duplicate_times`, `nonfinite`, `wrong_channels`, `wrong_rate`.
    """
    chosen, channel_names = pick(path, table.names, config.channels, names)
    columns = [table.columns[i] for i in chosen]
    if config.missing == "refuse":
        for i, column in zip(chosen, columns, strict=True):
            refuse_missing(path, np.isfinite(column), table.names[i], table.row_of)
    if config.channels == "mono":
        with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean: NaN
            columns = [np.mean(columns, axis=0)]
    arrangement, known = Arrangement(None, [(0, len(columns[0]))], None), False
    if table.time:
        seconds, known = parse_times(path, table.time, table.row_of)
        arrangement = arrange(path, seconds, config.irregular, table.row_of)
    if strict and arrangement.status != "ok":
        raise InputError(path, arrangement.status, f"{arrangement.detail}; remove them")
    step = common_step(map(sampled, columns)) if config.step == "auto" else config.step or None
    order, labels = arrangement.order, table.label
    if order is not None and labels is not None:
        labels = labels[order] & (order >= 0)
    whole = SeriesRecording(_stacked(columns, order, step), labels, table.time if times else (), order)
    whole.path, whole.channel_names, whole.step = str(path), channel_names, step
    whole.rate = agreed_rate(path, config, arrangement.rate, known=known)
    faults = [fault for fault in (table, arrangement) if fault.status != "ok"]
    if faults:
        whole.status, whole.detail = faults[0].status, "; ".join(fault.detail for fault in faults)
    if len(arrangement.stretches) == 1:
        return [whole]
    return [whole.part(start, stop) for start, stop in arrangement.stretches]


def agreed_rate(path: Path, config: SeriesData, found: float | None, *, known: bool) -> float | None:
    """`config.rate`, else the rate found in the file, Hz.

    Raises InputError `wrong_rate` where both are there, `found` is `known` for certain, and they differ.
    """
    if config.rate is None or found is None:
        return config.rate or found
    if known and abs(found - config.rate) > JITTER * config.rate:
        raise InputError(
            path,
            "wrong_rate",
            f"has {found:.6g} samples a second, {config.rate:.6g} are asked for; resample it, or correct "
            "data.rate",
        )
    return config.rate


def refuse_missing(path: Path, valid: NDArray[np.bool_], name: str, row_of: Callable[[int], int]) -> None:
    """Raise InputError `nonfinite` with the first row, where not all of the samples (n,) are valid."""
    if not valid.all():
        row, more = row_of(int(valid.argmin())), int((~valid).sum()) - 1
        raise InputError(
            path,
            "nonfinite",
            f"row {row}, column {name!r}: no finite value{f', and {more} more' if more else ''}; fill them "
            "in, or set data.missing: mask",
        )


def _stacked(
    columns: Sequence[NDArray[np.float64]], order: NDArray[np.int64] | None, step: float | None
) -> Values:
    """The columns (C, n) in their order, masked samples NaN."""
    dtype = np.float32 if all(_fits_float32(column, step) for column in columns) else np.float64
    values = np.empty((len(columns), len(columns[0]) if order is None else len(order)), dtype=dtype)
    for row, column in zip(values, columns, strict=True):
        row[:] = column if order is None else np.where(order >= 0, column[order], np.nan)
    return values


def _fits_float32(column: NDArray[np.float64], step: float | None) -> bool:
    finite = column[np.isfinite(column)]
    with np.errstate(over="ignore"):
        error = float(np.abs(finite - finite.astype(np.float32)).max(initial=0.0))
    if error == 0.0:
        return True
    changes = np.abs(np.diff(sampled(finite)))
    changes = changes[changes > 0]
    typical = float(np.median(changes)) if len(changes) else float(np.abs(finite).max())
    return error <= 1e-3 * (step or typical)
