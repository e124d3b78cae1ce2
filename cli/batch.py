"""`seqflow batch`: a folder of recordings to a folder of scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import AlarmRateOption, DeviceOption, JsonOption, RunArgument, StrictOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.batch import FileDone

EXAMPLES = examples(
    "seqflow batch runs/toy/machine recordings/ --out scores --workers 4",
    "seqflow batch runs/toy/machine manifest.csv --out scores --samples --json",
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
    strict: StrictOption = False,
    timeout: Annotated[float, typer.Option(metavar="S", help="Most seconds for one file.")] = 3600.0,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Score a whole folder, in parallel and resumably.

    Files are read in processes that may die of them: such files are set aside with the reason, and the
    batch goes on.
    """
    from seqflow.jobs.batch import run_batch

    with Progress("files", quiet=json) as progress:

        def show(event: FileDone) -> None:
            failed = [one for one in event.scores if not one.scored]
            for one in failed if not json else ():
                progress.note(f"{one.name}: {one.status}: {one.detail}")
            progress.update(event.done, event.total)

        summary = run_batch(
            run,
            inputs,
            out,
            workers=workers,
            samples=samples,
            strict=strict,
            alarm_rate=alarm_rate,
            device=device,
            timeout=timeout,
            on_event=show,
        )
    if json:
        console.say_json(summary)
    else:
        states = ", ".join(f"{count} {state}" for state, count in summary.states.items())
        again = f"; {summary.reused} of {summary.inputs} files done before" if summary.reused else ""
        recordings = f"{summary.recordings} recording{'s' * (summary.recordings != 1)}"
        alarms = f"{summary.alarms} alarm{'s' * (summary.alarms != 1)}"
        console.say(f"{summary.out}: {recordings}: {states}; {alarms}{again}")
        if summary.stale:
            stale = f"{summary.stale} result{'s' * (summary.stale != 1)}"
            console.note(
                f"note: {stale} of inputs that are no longer there, in no table, in {summary.out / 'results'}"
            )
    raise typer.Exit(summary.exit_code)
