"""`seqflow benchmark events`: labelled events found at a number of false ones per hour, and how late."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import AlarmsPerHourOption, DeviceOption, JsonOption, RunArgument, TailOption, examples
from .progress import Progress

EXAMPLES = examples(
    "seqflow benchmark events runs/pump labelled/ --alarms-per-hour 2",
    "seqflow benchmark events runs/pump week.csv --alarms-per-hour 0.5 --out found --json",
)


def events(
    run: RunArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help="Recordings with labels: files, folders, patterns.", show_default=False
        ),
    ],
    alarms_per_hour: AlarmsPerHourOption = None,
    tail: TailOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for events.json and .md.", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Find events in labelled recordings: how many, how late, and how many alarms are false.

    Labels are those of data.label in the run's recipe. Beside the promised threshold stands the best one that
    labels could have named.
    """
    from seqflow.jobs.benchmark_events import HEAD, benchmark_events
    from seqflow.model import Model

    model = Model.load(run, device)
    with Progress("recordings", quiet=json) as progress:
        result = benchmark_events(
            model,
            paths,
            out=out,
            alarms_per_hour=alarms_per_hour,
            tail=tail,
            on_progress=progress.update,
        )
    if json:
        console.say_json(result)
    else:
        console.table(HEAD, result.rows(), right=HEAD[1:])
        for name, reason in result.left_out:
            console.note(f"{name}: left out: {reason}")
        console.note(f"{result.per_hour:g} false events an hour accepted; {result.promised.hours:.3g} hours")
    raise typer.Exit(result.exit_code)
