"""A detector on the series of the TSB-AD benchmark: scored, judged, and beside published methods.

    OUT/series.csv                  a row for each series
    OUT/summary.json, summary.md    means, and what stands behind them
    OUT/results, OUT/samples        see `tsb_ad_worker`

Every series is scored on its own, in a process that may die of it, by one configuration for all; labels reach
nothing but the measures. Tables appear whole or not at all; series that are done are not done again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..detector import Detect
from ..errors import InputError, UsageError
from ..files import write_text
from ..lock import lock
from ..metrics import read_published, read_windows
from .machine import machine
from .pool import Outcome, run_tasks
from .tsb_ad_means import means, speed
from .tsb_ad_published import compare
from .tsb_ad_results import PROTOCOLS, TsbAdBenchmark, markdown, to_csv, to_json
from .tsb_ad_row import SeriesRow
from .tsb_ad_series import find_series, source_of, spread, train_of, window_of
from .tsb_ad_settings import key_of, settings_of
from .tsb_ad_worker import Place, Task, done_before, start

T = TypeVar("T")


@dataclass(frozen=True)
class SeriesDone:
    """A series has been dealt with: its row, whether it was there from an earlier run, and how many of all
    are done."""

    row: SeriesRow
    reused: bool
    done: int
    total: int


def benchmark_tsb_ad(
    folder: Path,
    out: Path,
    *,
    detect: Detect,
    windows: Path | None = None,
    published: Path | None = None,
    protocol: str = "prefix",
    jobs: int = 1,
    limit: int | None = None,
    timeout: float | None = 3600.0,
    on_progress: Callable[[SeriesDone], None] | None = None,
) -> TsbAdBenchmark:
    """Score every series of a folder, judge the scores by the labels, and write tables.

    Args:
        folder: CSV files, see `tsb_ad_series`.
        out: folder of the results. A series with the same content is not scored again with the same detector,
            settings, protocol, window and version.
        detect: see `Detect`. It gets the values, and how many of them to be fitted on; never the labels.
        windows: table of longest buffer windows, see `read_windows`; None to estimate them, see
            `estimate_window`. A series that is not in the table is not judged.
        published: table of VUS-PR of other methods, see `read_published`, to stand beside.
        protocol: `prefix`: fitted on the first points of each series, as many as its name says; `whole`: on
            all of it; `both`.
        jobs: processes, each with one thread.
        limit: at most so many series, evenly spread over the sorted names.
        timeout: seconds for one series; None for no end.
        on_progress: told of every series, in the order they are done.

    A series that cannot be read, whose labels are all of one kind, or on which the detector fails, has a row
    with the reason and no part in any mean. Raises UsageError for arguments that do not fit together, a table
    that cannot be read or holds none of the series, or where another run is at work in `out`; ResourceError
    where results cannot be written.
    """
    begin = time.monotonic()
    if protocol not in PROTOCOLS:
        raise UsageError(f"protocol: {protocol!r} is none of {', '.join(PROTOCOLS)}")
    if jobs < 1:
        raise UsageError(f"jobs: must be at least 1, got {jobs}")
    settings = settings_of(detect)
    found, faults = find_series(folder, out)
    everything = sorted([*found, *faults], key=os.fsencode)
    names = spread(everything, limit)
    table = None if windows is None else _table(read_windows, windows, names)
    others = None if published is None else _table(read_published, published, names)
    rows: dict[str, SeriesRow] = {}
    reused = 0
    with lock(out):
        place = Place(str(folder), str(out), key_of(detect, settings, protocol), protocol, settings)
        tasks: list[Task | InputError] = [
            faults.get(name) or _task(folder / name, table, protocol) for name in names
        ]
        run = partial(run_tasks, partial(start, detect, place), workers=jobs, timeout=timeout)
        with closing(_deal(place, names, tasks, run)) as dealt:
            for row, again in dealt:
                rows[row.name] = row
                reused += again
                if on_progress is not None:
                    on_progress(SeriesDone(row, again, len(rows), len(names)))
        ordered = tuple(rows[name] for name in names)
        judged = [row for row in ordered if row.judged]
        beside = compare(judged, others, published.name) if published is not None and others else None
        paths = tuple(out / name for name in ("series.csv", "summary.json", "summary.md"))
        result = TsbAdBenchmark(
            folder=str(folder),
            protocol=protocol,
            settings=settings,
            windows="" if windows is None else windows.name,
            found=len(everything),
            limit=limit,
            rows=ordered,
            reused=reused,
            means=tuple(means(judged)),
            speed=speed(judged),
            published=beside,
            machine={**machine(), "threads": 1},
            jobs=jobs,
            seconds=time.monotonic() - begin,
            paths=paths,
        )
        for path, text in zip(paths, (to_csv(result), to_json(result), markdown(result)), strict=True):
            write_text(path, text)
        return result


def _table(read: Callable[[Path], dict[str, T]], path: Path, names: Sequence[str]) -> dict[str, T]:
    """A table of TSB-AD that has something to say of these series. Raises UsageError for any other."""
    try:
        found = read(path)
    except InputError as error:
        raise UsageError(str(error)) from None
    if not found.keys() & set(names):
        raise UsageError(f"{path}: holds none of the series; is it the table of another folder?")
    return found


def _task(path: Path, windows: Mapping[str, int] | None, protocol: str) -> Task | InputError:
    """What is to be done about a series, or why it cannot."""
    try:
        train = None if protocol == "whole" else train_of(path)
        return Task(path.name, train, None if windows is None else window_of(path, windows))
    except InputError as error:
        return error


def _deal(
    place: Place,
    names: Sequence[str],
    tasks: Sequence[Task | InputError],
    run: Callable[[list[Task]], Generator[Outcome, None, None]],
) -> Generator[tuple[SeriesRow, bool], None, None]:
    """Rows of all series, and whether they are of an earlier run: what cannot even be tried, what is done
    already, and what becomes of the others. `run` starts no process where nothing is left to do."""
    left: list[Task] = []
    for name, task in zip(names, tasks, strict=True):
        if not isinstance(task, Task):
            yield SeriesRow.failed(name, source_of(name), task), False
        elif (row := done_before(place, task)) is not None:
            yield row, True
        else:
            left.append(task)
    with closing(run(left)) as outcomes:
        for outcome in outcomes:
            if outcome.status == "done":
                yield SeriesRow(**outcome.answer), False
            else:
                name = outcome.task.name
                error = InputError(Path(place.folder, name), outcome.status, str(outcome.answer))
                yield SeriesRow.failed(name, source_of(name), error), False
