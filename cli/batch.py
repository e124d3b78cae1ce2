"""`seqflow batch`: a folder of recordings to a folder of scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from .progress import Pace, Progress

if TYPE_CHECKING:
    from seqflow.jobs.batch import FileDone, Waiting

EXAMPLES = examples(
    "seqflow batch runs/toy/machine recordings/ --out scores --workers 4",
    "seqflow batch runs/toy/machine manifest.csv --out scores --samples --json",
    "seqflow batch runs/toy/machine recordings/ --out scores --shard 3/8",
    "seqflow batch runs/toy/machine recordings/ --out scores --engine dask --workers 2",
)


def batch(
    run: RunArgument,
    inputs: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="The recordings, or a CSV or JSON-lines list of them.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the results.", show_default=False)
    ],
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes.")] = 1,
    samples: Annotated[
        bool, typer.Option("--samples", help="Write the score of every sample too.", show_default=False)
    ] = False,
    alarm_rate: AlarmRateOption = None,
    alarms_per_hour: AlarmsPerHourOption = None,
    tail: TailOption = None,
    strict: StrictOption = False,
    timeout: Annotated[float, typer.Option(metavar="S", help="Most seconds for one file.")] = 3600.0,
    memory: Annotated[
        float | None,
        typer.Option(
            metavar="MB",
            min=1,
            help="Most memory of a process at one file; left out: any.",
            show_default=False,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do share I of N only; whichever is the last writes the tables.",
            show_default=False,
        ),
    ] = None,
    claim_expiry: Annotated[
        float, typer.Option(metavar="S", help="Seconds until the work of a dead process is taken over.")
    ] = 120.0,
    engine: Annotated[
        Literal["processes", "dask"], typer.Option(help="Where to work: here, or on a dask cluster.")
    ] = "processes",
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The cluster's, such as tcp://127.0.0.1:8786; left out: a cluster here.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Score a whole folder, in parallel and resumably.

    Files are read in processes that may die of them: such files are set aside with the reason, and the
    batch goes on. Several processes, on several hosts, may work in one --out: no file is done twice.
    """
    from seqflow.jobs.batch import Waiting, run_batch
    from seqflow.jobs.batch_inputs import parse_shard

    pace = Pace()
    with Progress("files", quiet=json) as progress:

        def show(event: FileDone | Waiting) -> None:
            if isinstance(event, Waiting):
                progress.note(f"the rest is in the hands of {event.owners}; waiting for it")
                return
            failed = [one for one in event.scores if not one.scored]
            for one in failed if not json else ():
                progress.note(f"{one.name}: {one.status}: {one.detail}")
            pace.add(event.seconds, event.size, fresh=not event.reused)
            progress.update(event.done, event.total, pace.text(event.total - event.done))

        summary = run_batch(
            run,
            inputs,
            out,
            workers=workers,
            samples=samples,
            strict=strict,
            alarm_rate=alarm_rate,
            alarms_per_hour=alarms_per_hour,
            tail=tail,
            device=device,
            timeout=timeout,
            memory=memory,
            shard=None if shard is None else parse_shard(shard),
            expiry=claim_expiry,
            engine=engine,
            scheduler=scheduler,
            on_event=show,
        )
    if json:
        console.say_json(summary)
    else:
        states = ", ".join(f"{count} {state}" for state, count in summary.states.items())
        again = f"; {summary.reused} of {summary.inputs} files done before" if summary.reused else ""
        recordings = f"{summary.recordings} recording{'s' * (summary.recordings != 1)}"
        alarms = f"{summary.alarms} alarm{'s' * (summary.alarms != 1)}"
        part = "" if summary.shard is None else f"shard {summary.shard}: "
        console.say(f"{summary.out}: {part}{recordings}: {states or 'none'}; {alarms}{again}")
        console.note(pace.text())
        if not summary.tables:
            there = (summary.out / "scores.parquet").exists()
            tables = "the tables there are of an earlier batch" if there else "no tables yet"
            console.note(f"note: {tables}: other shards are not done; the last one writes them")
        if summary.stale:
            stale = f"{summary.stale} result{'s' * (summary.stale != 1)}"
            console.note(
                f"note: {stale} of inputs that are no longer there, in no table, in {summary.out / 'results'}"
            )
    raise typer.Exit(summary.exit_code)
