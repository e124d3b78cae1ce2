"""What `seqflow benchmark tsb-ad` found, and how it is written down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import one_line
from ..metrics import Interval
from ..scoring.results import guard
from .result_table import Table, count_text, markdown_page, number_text
from .tsb_ad_means import SUBSETS, Mean, Speed, default_track, tracks
from .tsb_ad_published import Comparison
from .tsb_ad_row import MEASURES, TITLES, SeriesRow

PROTOCOLS: Mapping[str, str] = {
    "prefix": "fitted on the train prefix that the name of each series gives",
    "whole": "fitted on each whole series, without its labels; nothing is known to be normal",
    "both": "fitted on the train prefix, known to be normal, and on each whole series, without its labels",
}


@dataclass(frozen=True)
class TsbAdBenchmark:
    """A detector on series of TSB-AD.

    Attributes:
        folder: of the series.
        protocol: see `PROTOCOLS`.
        settings: of the detector, with its name.
        windows: name of the table of buffer windows; empty where they were estimated.
        found, limit: series in the folder, and how many were asked for.
        rows: of every series, in the order of their names.
        reused: rows from an earlier run.
        means: over the series with figures.
        speed: None where no series has figures.
        published: None where no table was given.
        machine: see `machine`; one thread a process.
        jobs: processes.
        seconds: time it took.
        paths: files written.
    """

    folder: str
    protocol: str
    settings: Mapping[str, Any]
    windows: str
    found: int
    limit: int | None
    rows: tuple[SeriesRow, ...]
    reused: int
    means: tuple[Mean, ...]
    speed: Speed | None
    published: Comparison | None
    machine: Mapping[str, str | int]
    jobs: int
    seconds: float
    paths: tuple[Path, ...] = ()

    @property
    def judged(self) -> list[SeriesRow]:
        """Rows with figures."""
        return [row for row in self.rows if row.judged]

    @property
    def failed(self) -> list[SeriesRow]:
        """Rows without figures."""
        return [row for row in self.rows if not row.judged]

    @property
    def exit_code(self) -> int:
        """0 where all series have figures, 4 where none has, else 3."""
        return 0 if not self.failed else 3 if self.judged else 4


def tables(result: TsbAdBenchmark) -> list[Table]:
    """The means, and beside published methods. Sources for the track that counts; the CSV has the rest."""
    main = default_track(result.judged)
    found = [
        Table(
            ("track", "mean over", "count", *(TITLES[name] for name in MEASURES)),
            [
                [
                    one.track,
                    one.subset,
                    str(one.count),
                    *(number_text(getattr(one, name)) for name in MEASURES),
                ]
                for one in result.means
                if one.track == main or one.subset in SUBSETS
            ],
            2,
        )
    ]
    if result.published is not None and result.published.series:
        found.append(
            Table(
                ("VUS-PR of", "", *SUBSETS),
                [
                    [
                        method.name,
                        "this detector" if method.kind == "this" else method.kind,
                        *(number_text(method.means.get(subset)) for subset in SUBSETS),
                    ]
                    for method in result.published.methods
                ],
                2,
            )
        )
    return found


def facts(result: TsbAdBenchmark) -> list[str]:
    """Lines on what was measured, how, and what was left out."""
    judged, names = result.judged, tracks(result.judged)
    part = "" if len(result.rows) == result.found else f", evenly spread over its {result.found}"
    lines = [
        f"protocol {result.protocol}: {PROTOCOLS[result.protocol]}",
        f"detector: {_settings(result.settings)}",
        f"{len(judged)} of {count_text(len(result.rows), 'series')} of {result.folder}{part}; "
        f"buffer windows {_windows(result)}",
    ]
    groups = len({row.group for row in judged})
    lines.append(f"label groups: {groups}, of series with the same labels at the same length")
    for name in names:
        count = sum(name in row.measures for row in judged)
        if count < len(judged):
            lines.append(f"track {name}: {count} series have it")
    if filled := sum(row.filled > 0 for row in judged):
        lines.append(
            f"{count_text(filled, 'series')} with missing values, filled in between their neighbours"
        )
    if (speed := result.speed) is not None:
        lines.append(
            f"seconds for 10,000 points: fit {speed.fit:.3f}, score {speed.score:.3f}; seconds of a series: "
            f"mean {speed.mean:.2f}, worst {speed.worst:.2f} ({speed.worst_name})"
        )
    if result.published is not None:
        lines += _compared(result.published)
    machine = ", ".join(f"{key} {value}" for key, value in result.machine.items())
    lines.append(f"on {machine}; {count_text(result.jobs, 'process', 'processes')} of one thread each")
    return [*lines, *(f"{row.name}: {row.status}: {row.detail}" for row in result.failed)]


def markdown(result: TsbAdBenchmark) -> str:
    """The result as Markdown."""
    return markdown_page(tables(result), facts(result))


def to_csv(result: TsbAdBenchmark) -> str:
    """A row for each series: what it is, its figures by track, and by what protocol and settings."""
    text = io.StringIO(newline="")
    names = tracks(result.judged)
    nested = ("measures", "notes")
    plain = [key for key in asdict(result.rows[0]) if key not in nested]
    figures = [(track, measure) for track in names for measure in MEASURES]
    writer = csv.writer(text, lineterminator="\n")
    titles = [guard(one_line(f"{track}_{measure}")) for track, measure in figures]
    writer.writerow([*plain, *titles, "notes", "protocol", "settings"])
    settings = json.dumps(result.settings, sort_keys=True)
    for row in result.rows:
        cells = [
            *(getattr(row, key) for key in plain),
            *(row.measures.get(track, {}).get(measure) for track, measure in figures),
            json.dumps(row.notes, sort_keys=True) if row.notes else "",
            result.protocol,
            settings,
        ]
        writer.writerow([guard(one_line(cell)) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def to_json(result: TsbAdBenchmark) -> str:
    """The summary as JSON."""
    return json.dumps(summary(result), indent=1, allow_nan=False) + "\n"


def summary(result: TsbAdBenchmark) -> dict[str, Any]:
    """The result but for the figures of single series, in what JSON has."""
    found = asdict(result)
    del found["rows"]
    if result.published is not None:
        for key in ("difference", "difference_by_group"):
            found["published"][key] = _interval(getattr(result.published, key))
    return {
        **found,
        "buffer_windows": _windows(result),
        "series": len(result.rows),
        "judged": len(result.judged),
        "failed": [{"name": row.name, "status": row.status, "detail": row.detail} for row in result.failed],
        "paths": [str(path) for path in result.paths],
    }


def _compared(found: Comparison) -> list[str]:
    if not found.series:
        return [f"{found.table}: holds none of the series with figures; nothing to compare"]
    lines = [f"{found.series} of the series with figures are in {found.table}, {found.missing} are not"]
    for interval, units in ((found.difference, "series"), (found.difference_by_group, "label groups")):
        if interval is not None:
            lines.append(
                f"VUS-PR of {found.track} minus {found.best}, the best published on these very series: "
                f"{interval.mean:+.3f} (95% interval {interval.low:+.3f} to {interval.high:+.3f}, paired "
                f"bootstrap over {interval.units} {units})"
            )
    if found.left_out:
        lines.append(f"published for some of these series only, left out: {', '.join(found.left_out)}")
    return lines


def _windows(result: TsbAdBenchmark) -> str:
    if result.windows:
        return f"of {result.windows}"
    return "estimated from the autocorrelation of each series, as TSB-AD does"


def _settings(settings: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in settings.items() if key != "detector"}
    told = f" {json.dumps(rest, sort_keys=True)}" if rest else ""
    return f"{settings.get('detector')}{told}"


def _interval(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else dict(interval._asdict())
