"""`seqflow benchmark corruptions`: which changes to normal recordings a run finds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

EXAMPLES = examples(
    "seqflow benchmark corruptions runs/audio/fsdd unseen/ --out corrupted",
    "seqflow benchmark corruptions runs/toy/machine sounds/normal --limit 50 --json",
)


def corruptions(
    run: RunArgument,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Normal recordings that the run has not seen.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for corruptions.json, .md and .csv; left out: corruptions in the folder of RUN.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            help="At most so many recordings, evenly spread over their names.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same figures.")] = 0,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Corrupt normal recordings in 15 ways, and tell which of them each score finds.

    AUROC of corrupted against clean recordings, and shares found at 1% and 5% false alarms.
    """
    from seqflow.jobs.benchmark_corruptions import benchmark_corruptions
    from seqflow.jobs.corruption_results import facts, summary, tables
    from seqflow.model import Model

    model = Model.load(run, device)
    if out is None:
        out = (run if run.is_dir() else run.parent) / "corruptions"
    with Progress("recordings", quiet=json) as progress:
        result = benchmark_corruptions(
            model, folder, out, limit=limit, seed=seed, on_progress=progress.update
        )
    if json:
        console.say_json(summary(result))
        raise typer.Exit(result.exit_code)
    for number, table in enumerate(tables(result)):
        if number:
            console.say()
        console.table(table.head, table.rows, right=table.right)
    for fact in facts(result):
        console.note(fact)
    for path in result.paths:
        console.note(str(path))
    raise typer.Exit(result.exit_code)
