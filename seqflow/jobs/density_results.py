"""What `seqflow benchmark density` found, and how it is written down."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import one_line
from ..scoring.results import guard
from .density_interval import interval

Array = NDArray[np.float64]
Kind = Literal["reference", "code length", "flow"]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A density, or a code, on the held-out windows.

    Attributes:
        model: name.
        kind: what it is.
        value: mean over the windows, in the unit of the table; None where there is none, see `note`.
        interval: 95% interval of it; None for a code length.
        difference: mean of value minus that of the best reference, window by window; negative is better.
        difference_interval: 95% interval of it.
        parameters: numbers that were fitted.
        steps: optimiser steps taken; None for references.
        cpu_seconds: of the fit; None where unknown.
        device: where the model was trained; for references this machine's processor.
        run: folder of a flow.
        note: what is to be said of it.
    """

    model: str
    kind: Kind
    value: float | None
    interval: Pair | None = None
    difference: float | None = None
    difference_interval: Pair | None = None
    parameters: int | None = None
    steps: int | None = None
    cpu_seconds: float | None = None
    device: str = ""
    run: str = ""
    note: str = ""


@dataclass(frozen=True)
class DensityBenchmark:
    """Densities on the same windows.

    Attributes:
        data: name of the recipe whose data they are.
        part: test, valid or calibration.
        unit: bits/sample at the quantisation step of each recording, or nats/sample in the unit of the data.
        windows, length, channels: how many, and their size.
        recordings: how many the windows come from.
        resampled: what intervals draw: recordings, or blocks of time.
        best_reference: name; what differences are taken to.
        fitted_samples: samples per channel that references were fitted to.
        rows: references first.
        notes: what was left out, and why.
        machine: see `machine`.
        seconds: time it took.
        paths: files written.
    """

    data: str
    part: str
    unit: str
    windows: int
    length: int
    channels: int
    recordings: int
    resampled: str
    best_reference: str
    fitted_samples: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    machine: Mapping[str, str | int]
    seconds: float
    paths: tuple[Path, ...] = ()


def compared(
    rows: Sequence[Row], values: Mapping[int, Array], group: NDArray[np.int64]
) -> tuple[list[Row], str]:
    """The rows with their intervals and their differences to the best reference, and its name.

    `values` are those of the windows (W,), by the number of the row; a row without has neither. The same
    draws of groups serve all rows.
    """
    means = {i: float(values[i].mean()) for i in values if rows[i].kind == "reference"}
    best = min(means, key=lambda i: means[i]) if means else None
    done = []
    for index, row in enumerate(rows):
        if index in values:
            row = replace(row, value=float(values[index].mean()), interval=interval(values[index], group))
            if best is not None and index != best:
                paired = values[index] - values[best]
                row = replace(
                    row, difference=float(paired.mean()), difference_interval=interval(paired, group)
                )
        done.append(row)
    return done, "" if best is None else rows[best].model


HEAD = ("model", "", "95% interval", "to best reference", "95% interval", "parameters", "steps", "CPU s")


def head(result: DensityBenchmark) -> tuple[str, ...]:
    """Titles of the columns of `table`."""
    return tuple(title or result.unit for title in HEAD)


def table(result: DensityBenchmark) -> list[list[str]]:
    """The rows as text, below `head`."""
    return [
        [
            row.model,
            _number(row.value, 3),
            "a code length" if row.kind == "code length" else _pair(row.interval, "{:.2f} to {:.2f}"),
            _number(row.difference, 3, sign=True),
            _pair(row.difference_interval, "{:+.3f} to {:+.3f}"),
            "-" if row.parameters is None else f"{row.parameters:,}",
            "-" if row.steps is None else f"{row.steps:,}",
            _number(row.cpu_seconds, 1),
        ]
        for row in result.rows
    ]


def facts(result: DensityBenchmark) -> list[str]:
    """Lines on what was measured, on what, and what was left out."""
    channels = "" if result.channels == 1 else f" in {result.channels} channels"
    lines = [
        f"{result.windows} windows of {result.length} samples{channels}, evenly spread over the "
        f"{result.part} part of {result.data} ({result.recordings} "
        f"recording{'s' * (result.recordings != 1)}); intervals by drawing {result.resampled}",
        f"references fitted to {result.fitted_samples:,} samples"
        + (" of each channel, channels apart but for the full Gaussian" if result.channels > 1 else ""),
        "on " + ", ".join(f"{key} {value}" for key, value in result.machine.items()),
    ]
    return [*lines, *(f"{row.model}: {row.note}" for row in result.rows if row.note), *result.notes]


def markdown(result: DensityBenchmark) -> str:
    """The result as Markdown."""
    titles = head(result)
    lines = [_line(titles), _line(["---"] * len(titles)), *map(_line, table(result)), ""]
    return "\n".join([*lines, *(f"* {_cell(fact)}" for fact in facts(result))]) + "\n"


def to_csv(result: DensityBenchmark) -> str:
    """A row for each model; bounds of intervals in columns of their own, nothing where there is none."""
    text = io.StringIO(newline="")
    names = [key for key in asdict(result.rows[0]) if not key.endswith("interval")]
    bounds = ["low", "high", "difference_low", "difference_high"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *bounds, "unit", "machine"])
    for row in result.rows:
        pairs = [*(row.interval or (None, None)), *(row.difference_interval or (None, None))]
        cells = [*(getattr(row, name) for name in names), *pairs, result.unit, result.machine.get("cpu")]
        writer.writerow([guard(one_line(one)) if isinstance(one, str) else one for one in cells])
    return text.getvalue()


def to_json(result: DensityBenchmark) -> str:
    """The result as JSON."""
    return json.dumps(plain(result), indent=1, allow_nan=False) + "\n"


def plain(result: DensityBenchmark) -> dict[str, Any]:
    """The result in what JSON has."""
    return {**asdict(result), "paths": [str(path) for path in result.paths]}


def _number(value: float | None, digits: int, *, sign: bool = False) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:{'+' if sign else ''}.{digits}f}"


def _pair(pair: Pair | None, form: str) -> str:
    return "-" if pair is None else form.format(*pair)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """Text that neither ends a cell nor a line."""
    return one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "\\<")
