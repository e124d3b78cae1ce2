"""What `seqflow benchmark corruptions` found, and how it is written down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..scoring.fuse import attainable_rate, rate_text
from ..scoring.results import guard
from .corruption_figures import ALONE, ASKED_RATES, CLEAN, MEAN, Figure, Row
from .corruption_scores import JOINED
from .result_table import Table, count_text, markdown_page, number_text


@dataclass(frozen=True)
class CorruptionBenchmark:
    """How well a run tells corrupted recordings from clean ones.

    Attributes:
        recipe: name of the model's recipe.
        folder: of the recordings.
        recordings, candidates: how many were used, of how many.
        calibration, unit: how many of what the calibration compares: "recording" or "block".
        rates: of false alarms at which shares found are given.
        seed: of the corruptions and the intervals.
        terms: names of the terms.
        rows: clean recordings, the corruptions, their mean.
        failed: recordings that cannot be used, and why.
        notes: what was passed over on purpose, and what was not checked.
        seconds: time it took.
        paths: files written.
    """

    recipe: str
    folder: str
    recordings: int
    candidates: int
    calibration: int
    unit: str
    rates: tuple[float, ...]
    seed: int
    terms: tuple[str, ...]
    rows: tuple[Row, ...]
    failed: tuple[InputError, ...]
    notes: tuple[str, ...]
    seconds: float
    paths: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0 where all recordings of the folder could be used, else 3."""
        return 3 if self.failed else 0


def tables(result: CorruptionBenchmark) -> list[Table]:
    """The joined score, and the areas of every score; what each finds stands in the Markdown and the CSV."""
    tracks = (JOINED, ALONE, *result.terms)
    rates = tuple(f"found at {_percent(rate)}" for rate in result.rates)
    joined = Table(
        ("corruption", "strength", "state", "AUROC", "95% interval", *rates),
        [
            [
                row.name,
                row.strength,
                ", ".join(f"{name} {count}" for name, count in row.states.items()) or "-",
                number_text(_area(row.figures[JOINED])),
                _interval(row.figures[JOINED]),
                *_found(row.figures[JOINED], len(rates)),
            ]
            for row in result.rows
        ],
        3,
    )
    areas = Table(
        ("AUROC of", *tracks),
        [
            [row.name, *(number_text(_area(row.figures[track])) for track in tracks)]
            for row in result.rows
            if row.name != CLEAN
        ],
        1,
    )
    return [joined, areas]


def found_tables(result: CorruptionBenchmark) -> list[Table]:
    """For every rate of false alarms, the share that each score finds."""
    tracks = (JOINED, ALONE, *result.terms)
    return [
        Table(
            (f"found at {_percent(rate)} by", *tracks),
            [
                [
                    row.name,
                    *(_found(row.figures[track], len(result.rates))[index] for track in tracks),
                ]
                for row in result.rows
            ],
            1,
        )
        for index, rate in enumerate(result.rates)
    ]


def facts(result: CorruptionBenchmark) -> list[str]:
    """Lines on what was measured, how, and what was left out."""
    many = count_text(result.recordings, "recording", "recordings")
    part = "" if result.recordings == result.candidates else f", of {result.candidates}"
    units = count_text(result.calibration, f"calibration {result.unit}", f"calibration {result.unit}s")
    lines = [
        f"recipe {result.recipe}; {many} of {result.folder}{part}; seed {result.seed}",
        f"found at a rate: p-value from {units} up to it; the row {CLEAN} shows false alarms",
    ]
    least = attainable_rate(result.calibration)
    for rate in ASKED_RATES:
        if rate not in result.rates:
            lines.append(
                f"{_percent(rate)} cannot be promised with {units}: the smallest rate is {_percent(least)}"
            )
    if result.unit == "block":
        lines.append(
            "calibrated by blocks: the p-value of a recording joins those of its blocks, so a short fault "
            "ranks high and may yet not be found"
        )
    lines += [
        f"{JOINED}: a named state that the clean recording has not counts as found, beyond all scores; "
        f"{ALONE} and the terms: copies with a state in place of a score are left out"
    ]
    for row in result.rows:
        if row.unscored and row.name not in (CLEAN, MEAN):
            lines.append(f"{row.name}: {row.unscored} of {many} with a state in place of a score")
    mean = next(row for row in result.rows if row.name == MEAN)
    for copies in sorted({one.copies for one in mean.figures.values() if one.left_out}, reverse=True):
        tracks = ", ".join(track for track, one in mean.figures.items() if one.copies == copies)
        lines.append(f"{MEAN} of {tracks}: over {copies} corruptions, the others have no figures")
    lines.append("intervals: percentile bootstrap over recordings, each drawn with its copies")
    lines += result.notes
    return [*lines, *(f"left out: {error}" for error in result.failed)]


def markdown(result: CorruptionBenchmark) -> str:
    """The result as Markdown."""
    return markdown_page([*tables(result), *found_tables(result)], facts(result))


def to_csv(result: CorruptionBenchmark) -> str:
    """A row for each corruption and score."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("corruption", "strength", "score", "copies", "left_out", "states", "auroc", "auroc_low"),
            *("auroc_high", *(f"found_at_{rate:.6g}" for rate in result.rates), "recipe", "seed"),
        ]
    )
    for row in result.rows:
        states = " ".join(f"{name}={count}" for name, count in row.states.items())
        for track, figure in row.figures.items():
            area: tuple[float | None, ...] = (None,) * 3 if figure.area is None else figure.area[:3]
            writer.writerow(
                [
                    *(row.name, row.strength, track, figure.copies, figure.left_out, states),
                    *(*area, *(figure.found or (None,) * len(result.rates))),
                    *(guard(one_line(result.recipe)), result.seed),
                ]
            )
    return text.getvalue()


def to_json(result: CorruptionBenchmark) -> str:
    """The result as JSON."""
    return json.dumps(summary(result), indent=1, allow_nan=False) + "\n"


def summary(result: CorruptionBenchmark) -> dict[str, Any]:
    """The result in what JSON has."""
    plain = {key: value for key, value in vars(result).items() if key not in ("rows", "failed", "paths")}
    return {
        **plain,
        "rows": [{**asdict(row), "figures": _figures(row.figures)} for row in result.rows],
        "failed": [
            {"path": error.path, "status": error.code, "detail": error.detail} for error in result.failed
        ],
        "paths": [str(path) for path in result.paths],
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, dict[str, Any]]:
    return {
        track: {
            "copies": one.copies,
            "left_out": one.left_out,
            "auroc": None if one.area is None else one.area.mean,
            "interval": None if one.area is None else [one.area.low, one.area.high],
            "found": None if one.found is None else list(one.found),
        }
        for track, one in figures.items()
    }


def _area(figure: Figure) -> float | None:
    return None if figure.area is None else figure.area.mean


def _interval(figure: Figure) -> str:
    return "-" if figure.area is None else f"{figure.area.low:.3f} to {figure.area.high:.3f}"


def _found(figure: Figure, rates: int) -> list[str]:
    return ["-"] * rates if figure.found is None else [number_text(share) for share in figure.found]


def _percent(rate: float) -> str:
    return f"{100.0 * float(rate_text(rate)):.3g}%"
