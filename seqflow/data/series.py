"""Sensor series in files: CSV, Parquet and NumPy arrays, as recordings in even steps of time."""

from __future__ import annotations

from functools import partial
from operator import add
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..errors import InputError
from ..recipe.data import SeriesData
from .array_file import Layout, NpyRecording, layout_of
from .cells import Cells
from .columns import Choice, choose, pick
from .lattice import common_step
from .recording import Recording
from .regular import regular_file, unreadable
from .sidecar import read_sidecar
from .spool import ROWS, Spool
from .table import Table
from .table_csv import read_csv
from .table_parquet import read_parquet
from .table_recording import agreed_rate, recordings_of, refuse_missing

_KINDS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".npy": "npy"}
SERIES_SUFFIXES = frozenset(_KINDS)


def open_series(
    path: str | Path,
    *,
    name: str,
    config: SeriesData,
    names: tuple[str, ...] | None = None,
    strict: bool = False,
    times: bool = False,
) -> list[Recording]:
    """The series in a file, by its suffix; several where `irregular: split` cuts at gaps.

    `names` are the channels of a trained model: they are selected by name, so the order of the columns does
    not matter, nor do further columns; `config.columns` and the choice of `config.channels` are then done
    with, but mono. A file without names of its own (an array, a CSV file without header) is taken by
    position, if it has as many columns or `config.channels` numbers them. Names of stretches are `name#1`,
    `name#2` and so on, `start` their first row.

    Rate: `config.rate`, else that of the time stamps or of the JSON file beside an array, else None. Where
    the file gives a rate for certain, and the recipe another, by more than 1%, the file is refused.

    Step: `config.step`, else for `auto` the greatest lattice that the values of all channels lie on; constant
    channels have no say, and one continuous channel makes it None. Sought in 131,072 samples a channel.

    Values are float32 where rounding to it stays below a thousandth of the step, or without one, of a typical
    change from sample to sample; else float64. Arrays are read in place, and only their type decides. Missing
    and non-finite values are masked, by `config.missing`. `strict` refuses what is read in part: a cut file,
    or rows that share a time. `times` keeps the time stamps of tables, for `time_of`.

    Tables are read once, here, and their numbers kept: in memory, or beyond `spool.LARGE` bytes in a
    temporary file that goes with the recordings.

    A file with another suffix is told by its first bytes, and is text where they say nothing; archives are
    refused. Raises InputError, and ResourceError where a large table needs more room than TMPDIR has.
    """
    path = Path(path)
    regular_file(path)
    table: Table | Recording
    match _kind(path):
        case "npy":
            table = _array(path, config, names, strict)
        case "parquet":
            table = read_parquet(path, config, names)
        case _:
            table = read_csv(path, config, names, strict=strict)
    parts = (
        [table]
        if isinstance(table, Recording)
        else recordings_of(path, table, config, names, strict=strict, times=times)
    )
    for number, part in enumerate(parts, start=1):
        part.name = f"{name}#{number}" if len(parts) > 1 else name
    return parts


def _kind(path: Path) -> str:
    """By the suffix; of a file with another one by its first bytes, else it is text."""
    suffix = path.suffix.lower()
    if suffix in _KINDS:
        return _KINDS[suffix]
    try:
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from None
    if first.startswith(b"PK"):  # .npz, .xlsx, .zip
        raise InputError(
            path, "unknown_format", "is an archive; write every series as .csv, .parquet or .npy"
        )
    return {b"\x93NUMP": "npy", b"PAR1": "parquet"}.get(first[:5] if first[0] == 0x93 else first[:4], "csv")


def _array(path: Path, config: SeriesData, names: tuple[str, ...] | None, strict: bool) -> Recording | Table:
    """An array read in place; a table where a column of time is among its own: that may change the rows."""
    layout = layout_of(path)
    if strict and layout.rows < layout.declared:
        raise InputError(
            path, "truncated", f"ends after {layout.rows} of {layout.declared} rows; copy it anew"
        )
    rate, told = read_sidecar(path)
    if told is not None and len(told) != layout.columns:
        raise InputError(
            path, "wrong_channels", f"has {layout.columns} columns, the JSON file beside it names {len(told)}"
        )
    have = told or tuple(map(str, range(layout.columns)))
    choice = choose(path, have, config, names, named=told is not None)
    values = choice.others if choice.values is None else choice.values
    if not values:
        raise InputError(path, "not_numeric", "has no column but time and label; add the values")
    found = tuple(have[i] for i in values)
    if choice.time:
        return _timed(path, layout, choice, values, found, named=told is not None)
    chosen, channel_names = pick(path, found, config.channels, names)
    recording = NpyRecording(
        path,
        layout,
        tuple(values[i] for i in chosen),
        channel_names,
        mono=config.channels == "mono",
        label=choice.label,
    )
    if config.missing == "refuse":
        masks = (block.mask for block in recording.blocks(ROWS))
        refuse_missing(path, masks, channel_names or ("mean of all",), partial(add, 1))
    recording.rate = agreed_rate(path, config, rate, known=True)
    recording.step = config.step or None if config.step != "auto" else common_step(recording.samples())
    return recording


def _timed(
    path: Path,
    layout: Layout,
    choice: Choice,
    values: tuple[int, ...],
    names: tuple[str, ...],
    *,
    named: bool,
) -> Table:
    label = choice.label
    whole = NpyRecording(path, layout, values, names)
    spool, time = Spool(path, np.float64, len(values) + (label is not None)), Cells(path)
    for start in range(0, layout.rows, ROWS):
        block = [column.astype(np.float64) for column in whole.columns_at(start, ROWS, values)]
        if label is not None:
            block += [np.nan_to_num(column) != 0 for column in whole.columns_at(start, ROWS, (label,))]
        spool.append(np.stack(block, axis=1))
        time.append([pa.array(column) for column in whole.columns_at(start, ROWS, choice.time)])
    return Table(
        names=names,
        named=named,
        values=spool,
        columns=tuple(range(len(values))),
        label=None if label is None else len(values),
        time=time,
        status=whole.status,
        detail=whole.detail,
    )
