"""`seqflow calibrate`: other normal recordings to compare with, without training."""

from __future__ import annotations

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
    from seqflow.jobs.calibrate_run import NewCalibration
    from seqflow.training.events import Event

EXAMPLES = examples(
    "seqflow calibrate runs/toy/machine normal/ --out runs/machine-2",
    "seqflow calibrate runs/toy/machine 'may/*.wav' --add --alarm-rate 0.02 --out runs/machine-3",
    "seqflow calibrate runs/toy/machine normal/ --background runs/hall --out runs/machine-4",
)


def calibrate(
    run: RunArgument,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Normal recordings that took no part in the training: files, folders with all below them, "
            "or patterns.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="RUN2", help="Folder of the new run; a new one.", show_default=False),
    ],
    alarm_rate: AlarmRateOption = None,
    alarms_per_hour: AlarmsPerHourOption = None,
    tail: TailOption = None,
    background: Annotated[
        Path | None,
        typer.Option(
            "--background",
            metavar="RUN3",
            help="Add the term ratio: how much likelier than under this other run's model.",
            show_default=False,
        ),
    ] = None,
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Calibrate on what the training held back for it as well; its recordings must be there.",
            show_default=False,
        ),
    ] = False,
    strict: StrictOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Calibrate a trained model anew, without training, into a run of its own.

    The weights stay as they are: scores, p-values and alarms are then by comparison with these recordings.
    """
    from seqflow.jobs.calibrate_run import calibrate_run

    from .train import sentence

    with Progress("recordings", quiet=json) as progress:

        def show(event: Event) -> None:
            if not json and (line := sentence(event)):
                progress.note(line)

        made = calibrate_run(
            run,
            paths,
            out,
            alarm_rate=alarm_rate,
            alarms_per_hour=alarms_per_hour,
            tail=tail,
            background=background,
            add=add,
            strict=strict,
            device=device,
            on_event=show,
            on_progress=progress.update,
        )
    if json:
        console.say_json(made)
    else:
        console.say(result(made))
        if made.unit == "block":
            console.note(blocks(made))
        console.note(f"next: seqflow score {made.path} PATH...")
    raise typer.Exit(made.exit_code)


def result(made: NewCalibration) -> str:
    """A line on the new run."""
    from seqflow.scoring.fuse import rate_text

    units = f"{_count(made.units, 'block')} of " if made.unit == "block" else ""
    hourly = ""
    if made.attainable_per_hour is not None:
        asked = "" if made.alarms_per_hour is None else f"{made.alarms_per_hour:g} an hour, "
        hourly = f", {asked}from {rate_text(made.attainable_per_hour)} an hour on"
    own = f" ({made.of_the_training} of the training's own)" if made.of_the_training else ""
    return (
        f"{made.path}: calibrated on {units}{_count(made.recordings, 'recording')}{own}; alarm rate "
        f"{made.alarm_rate:.3g}, from {rate_text(made.attainable_rate)} on{hourly} can be promised"
        + ("" if made.tail is None else f"; smaller p-values {made.tail.text()}")
    )


def blocks(made: NewCalibration) -> str:
    """A line on what it means that blocks are compared."""
    return (
        f"note: {_count(made.recordings, 'recording')} cannot promise an alarm rate of {made.alarm_rate:g}, "
        f"so blocks of {_count(made.per_unit, 'window')} are compared: differences between recordings count "
        "as anomalies, and one bad block among many gives no alarm"
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
