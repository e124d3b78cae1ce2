"""A table becomes recordings: its channels, in even steps of time, in the smallest type that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError
from ..recipe.data import SeriesData
from .cells import Cells
from .channels import Channels, fits_float32
from .columns import pick
from .lattice import common_step
from .recording import Block, Mask, Recording, Values
from .regularity import JITTER, Arrangement, arrange
from .table import Table
from .timestamps import parse_times


class SeriesRecording(Recording):
    """Channels of a table in even steps of time; what is in memory there is so here.

    `arrangement` says which row every sample is. `stamps` are time stamps as they are in the file.
    """

    def __init__(
        self,
        path: Path,
        table: Table,
        channels: Channels,
        arrangement: Arrangement,
        dtype: DTypeLike,
        stamps: Cells | None,
    ) -> None:
        self.name, self.path, self.kind = path.name, str(path), "series"
        self.channels, self.channel_names = channels.count, ()
        self.rate, self.step = arrangement.rate, None
        self.length, self.start = arrangement.length, 0
        self.status, self.detail = "ok", ""
        self._arrangement, self._dtype, self._stamps = arrangement, np.dtype(dtype), stamps
        self._whole: tuple[Values, Mask | None] | None = None
        self._stored: tuple[Table, Channels] | None = table, channels
        if table.values.in_memory:
            self._whole = self._values(0, self.length), self.labels()
            self._stored = None
            table.values.close()

    def read(self, start: int, frames: int) -> Block:
        """Samples by position; a view where none is missing and all are in memory."""
        if self._whole is None:
            values = self._values(start, min(frames, self.length - start))
        else:
            values = self._whole[0][:, start : start + frames]
        mask = np.isfinite(values)
        return Block(values if mask.all() else np.where(mask, values, 0.0), mask)

    def labels(self) -> NDArray[np.bool_] | None:
        """True where the file calls a sample anomalous; masked samples in gaps are not."""
        if self._whole is not None:
            return self._whole[1]
        labels = None if self._stored is None else self._stored[0].labels()
        if labels is None:
            return None
        order, places = self._arrangement.order, self._arrangement.places
        if order is not None:
            labels = labels[order.read(0, order.length)]
        if places is None:
            return labels
        spread = np.zeros(self.length, np.bool_)
        spread[places.read(0, places.length)] = labels
        return spread

    def time_of(self, index: int) -> str | None:
        """The time stamp as the file has it, date and time of day joined; None for a sample in a gap."""
        order, places = self._arrangement.order, self._arrangement.places
        row = index
        if places is not None:
            row = places.place_of(index)
            if places.read(row, 1)[0] != index:
                return None
        if order is not None:
            row = int(order.read(row, 1)[0])
        return None if self._stamps is None else self._stamps.text(row) or None

    def _values(self, start: int, frames: int) -> Values:
        """Samples (C, n), what is missing not finite."""
        assert self._stored is not None
        channels = self._stored[1]
        order, places = self._arrangement.order, self._arrangement.places
        first, count, at = start, max(0, frames), None
        if places is not None:
            first = places.place_of(start)
            at = places.read(first, count)
            at = at[: np.searchsorted(at, start + count)] - start
            count = len(at)
        rows = channels.read(first, count) if order is None else channels.take(order.read(first, count))
        if at is None:
            return rows.astype(self._dtype)
        values = np.full((self.channels, max(0, frames)), np.nan, self._dtype)
        values[:, at] = rows
        return values


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

    `strict` refuses rows that share a time. `times` keeps the time stamps, for `time_of`. Raises InputError:
    `timestamps`, `duplicate_times`, `nonfinite`, `wrong_channels`, `wrong_rate`; and ResourceError where a
    large table needs more room than TMPDIR has.
    """
    chosen, channel_names = pick(path, table.names, config.channels, names)
    columns = [table.columns[i] for i in chosen]
    if config.missing == "refuse":
        each = Channels(table.values, columns, mono=False)
        finite = (np.isfinite(block) for block in each.blocks())
        refuse_missing(path, finite, [table.names[i] for i in chosen], table.row_of)
    channels = Channels(table.values, columns, mono=config.channels == "mono")
    arrangement, known = Arrangement(channels.rows, [(0, channels.rows)], None), False
    if table.time is not None:
        seconds, known = parse_times(path, table.time, table.row_of)
        if not times:
            table.time.close()
        arrangement = arrange(path, seconds, config.irregular, table.row_of)
        seconds.close()
    if strict and arrangement.status != "ok":
        raise InputError(path, arrangement.status, f"{arrangement.detail}; remove them")
    step = common_step(channels.sampled()) if config.step == "auto" else config.step or None
    whole = SeriesRecording(
        path,
        table,
        channels,
        arrangement,
        np.float32 if fits_float32(channels, step) else np.float64,
        table.time if times else None,
    )
    whole.channel_names, whole.step = channel_names, step
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


def refuse_missing(
    path: Path, masks: Iterable[Mask], names: Sequence[str], row_of: Callable[[int], int]
) -> None:
    """Raise InputError `nonfinite` where not all samples are valid, with the first row of the first channel.

    `masks` (C, n) come block by block, in order.
    """
    first, missing, rows = np.full(len(names), -1), np.zeros(len(names), np.int64), 0
    for mask in masks:
        invalid = ~mask
        found = invalid.any(axis=1) & (first < 0)
        first[found] = rows + invalid[found].argmax(axis=1)
        missing += invalid.sum(axis=1)
        rows += mask.shape[1]
    if missing.any():
        channel = int(np.flatnonzero(missing)[0])
        more = int(missing[channel]) - 1
        raise InputError(
            path,
            "nonfinite",
            f"row {row_of(int(first[channel]))}, column {names[channel]!r}: no finite value"
            f"{f', and {more} more' if more else ''}; fill them in, or set data.missing: mask",
        )
