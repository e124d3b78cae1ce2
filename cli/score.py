"""`seqflow score`: what is unusual in recordings, and where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import AlarmRateOption, DeviceOption, JsonOption, RunArgument, StrictOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.scoring import FileScore

EXAMPLES = examples(
    "seqflow score runs/toy/machine recording.wav",
    "seqflow score runs/toy/machine recordings/ --out scores --samples --figures 5",
    "seqflow score runs/toy/machine 'day1/*.wav' --alarm-rate 0.1 --json",
)


def score(
    run: RunArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Files, folders with all below them, or patterns.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder for scores.csv and scores.parquet.", show_default=False
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
    alarm_rate: AlarmRateOption = None,
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
                console.say_json(result.row())

        scores = score_paths(
            model,
            paths,
            out=out,
            samples=samples,
            figures=figures,
            strict=strict,
            alarm_rate=alarm_rate,
            on_result=show,
        )
    if not json:
        show_scores(scores)
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
    for one in scores:
        if one.detail:
            # Of several states the detail names each itself.
            named = one.status == "ok" or one.detail.startswith(f"{one.status}: ")
            state = "" if named else f"{one.status}: "
            console.note(f"{one.name}: {state}{one.detail}")
    console.note(count(scores))


def worst(one: FileScore) -> str:
    """The worst interval: samples without a rate, else seconds; days and hours where it lies hours in."""
    if one.worst_start is None or one.worst_end is None:
        return "-"
    if one.rate is None:
        return f"{one.worst_start:.0f}-{one.worst_end:.0f}"
    if one.worst_end < 3600.0:
        return f"{one.worst_start:.3f}-{one.worst_end:.3f} s"
    return f"{console.moment(one.worst_start, one.rate)}-{console.moment(one.worst_end, one.rate)}"


def count(scores: Sequence[FileScore]) -> str:
    """How many recordings, alarms, and recordings without a score."""
    alarms = sum(bool(one.alarm) for one in scores)
    without = sum(not one.scored for one in scores)
    text = f"{len(scores)} recording{'' if len(scores) == 1 else 's'}"
    if any(one.alarm is not None for one in scores):
        text += f", {alarms} alarm{'' if alarms == 1 else 's'}"
    return text + (f", {without} without a score" if without else "")
