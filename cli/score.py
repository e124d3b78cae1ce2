"""`seqflow score`: what is unusual in recordings, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import (
    AlarmRateOption,
    AlarmsPerHourOption,
    DeviceOption,
    JsonOption,
    RunArgument,
    StrictOption,
    TailOption,
    examples,
)
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.scoring import FileScore
    from seqflow.scoring.ranked import RankedInterval

EXAMPLES = examples(
    "seqflow score runs/toy/machine recording.wav",
    "seqflow score runs/toy/machine recordings/ --out scores --samples --figures 5",
    "seqflow score runs/toy/machine 'day1/*.wav' --alarm-rate 0.1 --json",
    "seqflow score runs/toy/machine recording.wav --terms --intervals 5",
    "seqflow score runs/toy/machine day.wav --alarms-per-hour 2 --out scores",
)


def score(
    run: RunArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, folders with all below them, also packed ones, or patterns.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for scores.csv, events.csv and the like.", show_default=False
        ),
    ] = None,
    samples: Annotated[
        bool,
        typer.Option(
            "--samples", help="Write the score of every sample too, below --out.", show_default=False
        ),
    ] = False,
    figures: Annotated[
        int,
        typer.Option(
            "--figures",
            metavar="N",
            min=0,
            help="Draw the N most unusual recordings, below --out.",
            show_default=False,
        ),
    ] = 0,
    intervals: Annotated[
        int,
        typer.Option(
            "--intervals",
            metavar="K",
            min=0,
            help="List the K worst intervals of each recording, with the shares of its channels.",
            show_default=False,
        ),
    ] = 0,
    terms: Annotated[
        bool,
        typer.Option("--terms", help="Show each term beside the score that joins them.", show_default=False),
    ] = False,
    alarm_rate: AlarmRateOption = None,
    alarms_per_hour: AlarmsPerHourOption = None,
    tail: TailOption = None,
    strict: StrictOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Score recordings: how unusual each is, and where.

    Prints a table; --out keeps it, --samples and --figures say more on each recording.
    """
    from seqflow.jobs.score import exit_code, score_paths
    from seqflow.model import Model

    model = Model.load(run, device)
    with Progress("recordings", quiet=json) as progress:

        def show(result: FileScore, done: int, total: int) -> None:
            progress.update(done, total)
            if json:
                listed = {"intervals": [console.plain(one) for one in result.intervals]}
                console.say_json(result.record() | (listed if intervals else {}))

        scores = score_paths(
            model,
            paths,
            out=out,
            samples=samples,
            figures=figures,
            intervals=intervals,
            strict=strict,
            alarm_rate=alarm_rate,
            alarms_per_hour=alarms_per_hour,
            tail=tail,
            on_result=show,
        )
    if not json:
        show_scores(scores)
        if terms:
            show_terms(scores)
        if intervals:
            show_intervals(scores)
        if out is not None:
            console.note(f"written to {out}")
    raise typer.Exit(exit_code(scores))


def show_scores(scores: Sequence[FileScore]) -> None:
    """A table on stdout; on stderr why recordings have no score, and how many there are of each kind."""
    scored = [one for one in scores if one.scored]
    bits = bool(scored) and all(one.bits is not None for one in scored)
    head = ["recording", "status", "alarm", "score", "p", "worst", "bits" if bits else "nats"]
    rows = [
        [
            one.name,
            one.status,
            {True: "ALARM", False: "no", None: "-"}[one.alarm],
            console.number(one.score, 2),
            console.number(one.p_value, 3),
            worst(one),
            console.number(one.bits if bits else one.nll),
        ]
        for one in scores
    ]
    console.table(head, rows, right=["score", "p", "bits", "nats"])
    show_events(scores)
    for one in scores:
        if one.detail:
            # Of several states the detail names each itself.
            named = one.status == "ok" or one.detail.startswith(f"{one.status}: ")
            state = "" if named else f"{one.status}: "
            console.note(f"{one.name}: {state}{one.detail}")
    console.note(count(scores))


def show_terms(scores: Sequence[FileScore]) -> None:
    """A table on stdout of every term of every recording: its value, its p-value, whether a likelihood."""
    from seqflow.jobs.term_table import term_rows

    rows = [
        [one.name, row.term, console.number(row.value), console.number(row.p_value), row.likelihood]
        for one in scores
        for row in term_rows(one)
    ]
    if rows:
        console.say()
        console.table(["recording", "term", "value", "p", "likelihood"], rows, right=["value", "p"])


def show_intervals(scores: Sequence[FileScore]) -> None:
    """A table on stdout of the worst intervals of every recording, the highest of each first."""
    shares = any(event.channels for one in scores for event in one.intervals)
    head = ["recording", "rank", "from", "to", "peak", "height"]
    rows = [
        [
            one.name,
            str(event.rank),
            *(_moment(one, at) for at in (event.start, event.end, event.peak)),
            console.number(event.height, 2),
            *([_channels(event)] if shares else []),
        ]
        for one in scores
        for event in one.intervals
    ]
    if rows:
        console.say()
        console.table([*head, *(["channels"] if shares else [])], rows, right=["rank", "height"])
    for one in scores:
        if one.scored and not one.intervals:
            console.note(f"{one.name}: nothing rises above its usual level")


def _moment(one: FileScore, sample: int) -> str:
    if one.rate is None:
        return str(sample)
    seconds = sample / one.rate
    long = one.duration is not None and one.duration >= 3600.0
    return console.moment(seconds, one.rate) if long else f"{seconds:.3f} s"


def _channels(event: RankedInterval) -> str:
    shown = list((event.channels or {}).items())[:3]
    return ", ".join(f"{name} {100.0 * share:.0f}%" for name, share in shown)


def show_events(scores: Sequence[FileScore]) -> None:
    """A table of the events, where there are some."""
    rows = [
        [
            one.name,
            str(number),
            interval(one, event.start, event.end),
            interval(one, event.peak),
            console.number(event.score, 2),
            console.number(event.p_value, 3),
        ]
        for one in scores
        for number, event in enumerate(one.event_list, 1)
    ]
    if rows:
        console.table(["recording", "event", "from-to", "peak", "score", "least p"], rows, right=["score"])


def worst(one: FileScore) -> str:
    """The worst interval."""
    if one.worst_start is None or one.worst_end is None:
        return "-"
    return interval(one, one.worst_start, one.worst_end)


def interval(one: FileScore, *moments: float) -> str:
    """Moments: samples without a rate, else seconds; days and hours where they lie hours in."""
    if one.rate is None:
        return "-".join(f"{moment:.0f}" for moment in moments)
    if max(moments) < 3600.0:
        return "-".join(f"{moment:.3f}" for moment in moments) + " s"
    return "-".join(console.moment(moment, one.rate) for moment in moments)


def count(scores: Sequence[FileScore]) -> str:
    """How many recordings, alarms, and recordings without a score."""
    alarms = sum(bool(one.alarm) for one in scores)
    without = sum(not one.scored for one in scores)
    text = f"{len(scores)} recording{'' if len(scores) == 1 else 's'}"
    if any(one.alarm is not None for one in scores):
        text += f", {alarms} alarm{'' if alarms == 1 else 's'}"
    text += f", {without} without a score" if without else ""
    expected = [one.events_expected for one in scores if one.events_expected is not None]
    if expected:
        events = sum(one.events or 0 for one in scores)
        text += (
            f"; {events} event{'' if events == 1 else 's'}, where at most {sum(expected):.2g} would be "
            "expected if all is normal"
        )
    return text
