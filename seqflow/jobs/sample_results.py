"""What `seqflow benchmark samples` found, and how it is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..quality.loudness import Distribution


@dataclass(frozen=True)
class Figure:
    """A distance of generated sequences from real ones, beside that of other real ones from the same.

    Attributes:
        key, name, unit: see `quality.comparison.MEASURES`.
        generated: the distance.
        floor: of other real sequences; None where there are none.
        goal: the most that is good enough; None where none is set.
    """

    key: str
    name: str
    unit: str
    generated: float
    floor: float | None
    goal: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.generated <= self.goal


@dataclass(frozen=True)
class Band:
    """Mean levels in an octave band, dB; `low` and `high` in Hz, or cycles a sample without a clock."""

    low: float
    high: float
    real: float
    generated: float
    floor: float | None

    @property
    def difference(self) -> float:
        """Generated minus real, dB."""
        return self.generated - self.real


@dataclass(frozen=True)
class Loudness:
    """RMS of sequences, units of the data (of deviations for sensors), and excess kurtosis of samples."""

    rms: Distribution
    kurtosis: float


@dataclass(frozen=True)
class ClassReport:
    """What a classifier of one condition, trained on the training recordings, hears.

    Attributes:
        condition: its name, or `label`.
        classes: its values.
        trained_on, n_real: training windows, and real held-out ones with a known class.
        accuracy: share of those that are classified right.
        chance: share of the most frequent class among them.
        agreement: share of generated sequences heard as the class they were asked for; None where the model
            was not asked for one.
        heard: share of each class among generated sequences; `heard_real` among the real ones.
        certainty, certainty_real: median probability of the class that was heard.
        frechet, frechet_floor: Fréchet distance of the embeddings from the real ones.
    """

    condition: str
    classes: tuple[str, ...]
    trained_on: int
    n_real: int
    accuracy: float
    chance: float
    agreement: float | None
    heard: tuple[float, ...]
    heard_real: tuple[float, ...]
    certainty: float
    certainty_real: float
    frechet: float
    frechet_floor: float | None


@dataclass(frozen=True)
class SampleBenchmark:
    """Generated sequences beside real ones.

    Attributes:
        recipe: name of the model's recipe.
        n, length, rate, temperature, seed: what was drawn; samples, Hz.
        nonfinite: sequences with a value that is not finite; they are in no other figure.
        real, floor: where the real sequences come from; `n_real`, `n_floor`, how many windows of each.
        n_train: training windows that sequences are compared with, to find copies.
        figures: the distances.
        bands: octave bands, lowest first.
        loudness: by `generated`, `real`, and `floor` where there is one.
        classes: one for each condition.
        notes: what was left out, and why.
        seconds: time it took.
        paths: files written.
    """

    recipe: str
    n: int
    length: int
    rate: float | None
    temperature: float
    seed: int
    nonfinite: int
    real: str
    floor: str
    n_real: int
    n_floor: int
    n_train: int
    figures: tuple[Figure, ...]
    bands: tuple[Band, ...]
    loudness: Mapping[str, Loudness]
    classes: tuple[ClassReport, ...]
    notes: tuple[str, ...]
    seconds: float
    paths: tuple[Path, ...]


HEAD = ("figure", "unit", "generated", "real against real", "goal", "met")


def table(result: SampleBenchmark) -> list[list[str]]:
    """The figures as text, below `HEAD`."""
    return [
        [
            figure.name,
            figure.unit,
            shown(figure.generated),
            shown(figure.floor),
            "-" if figure.goal is None else f"{figure.goal:g}",
            {True: "yes", False: "NO", None: "-"}[figure.met],
        ]
        for figure in result.figures
    ]


def sentences(report: ClassReport) -> list[str]:
    """A classifier's report in plain lines."""
    lines = [
        f"{report.condition}: a classifier of {len(report.classes)} classes, trained on {report.trained_on} "
        f"windows, is right on {100 * report.accuracy:.1f}% of {report.n_real} real held-out ones "
        f"(the most frequent class: {100 * report.chance:.1f}%)"
    ]
    if report.agreement is not None:
        lines.append(
            f"{report.condition}: {100 * report.agreement:.1f}% of the generated sequences are heard as the "
            "class they were asked for"
        )
    lines.append(
        f"{report.condition}: median certainty {report.certainty:.2f} on generated sequences, "
        f"{report.certainty_real:.2f} on real ones"
    )
    return lines


def markdown(result: SampleBenchmark) -> str:
    """The result as a page of Markdown."""
    lines = [f"# Generated sequences of {_cell(result.recipe)}", ""]
    lines += [f"* {name}: {_cell(value)}" for name, value in facts(result)]
    lines += ["", *_rows(HEAD, table(result)), ""]
    lines += ["Mean levels in octave bands, dB:", ""]
    head = ("band", "real", "generated", "generated - real", "other real - real")
    rows = [
        [
            f"{band.low:.4g} to {band.high:.4g}",
            f"{band.real:.2f}",
            f"{band.generated:.2f}",
            f"{band.difference:+.2f}",
            "-" if band.floor is None else f"{band.floor - band.real:+.2f}",
        ]
        for band in result.bands
    ]
    lines += [*_rows(head, rows), "", "RMS of sequences:", ""]
    rows = [
        [name, *(f"{value:.4g}" for value in (r.p10, r.p50, r.p90, r.mean)), f"{one.kurtosis:.2f}"]
        for name, one in result.loudness.items()
        for r in [one.rms]
    ]
    lines += [*_rows(("", "10%", "50%", "90%", "mean", "excess kurtosis"), rows), ""]
    for report in result.classes:
        lines += [f"* {_cell(line)}" for line in sentences(report)]
    lines += [f"* {_cell(note)}" for note in result.notes]
    return "\n".join(lines).rstrip() + "\n"


def facts(result: SampleBenchmark) -> list[tuple[str, str]]:
    """What was compared, in names and values."""
    clock = f" at {result.rate:g} Hz" if result.rate else ""
    return [
        (
            "generated",
            f"{result.n} sequences of {result.length} samples{clock}, temperature {result.temperature:g}, "
            f"seed {result.seed}; {result.nonfinite} not finite",
        ),
        ("real", f"{result.n_real} windows: {result.real}"),
        ("real against real", f"{result.n_floor} windows: {result.floor}" if result.n_floor else "none"),
    ]


def to_json(result: SampleBenchmark) -> str:
    """The result as JSON; numbers that are not finite are null."""
    value = asdict(result)
    for figure, plain in zip(result.figures, value["figures"], strict=True):
        plain["met"] = figure.met
    for band, plain in zip(result.bands, value["bands"], strict=True):
        plain["difference"] = band.difference
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def shown(value: float | None) -> str:
    """A figure for people."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.3g}" if value else "0"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text: str) -> str:
    """Text that neither ends a cell nor a line, nor is markup for a viewer of Markdown."""
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    for mark in ("\\", "|", "<", "[", "`"):
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
