"""`seqflow sample`: sequences drawn from a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

EXAMPLES = examples(
    "seqflow sample runs/toy/machine --out samples",
    "seqflow sample runs/audio/fsdd-conditional --condition digit=7 --condition speaker=theo --out s7",
    "seqflow sample runs/audio/fsdd -n 16 --seconds 2 --temperature 0.8 --seed 1 --out samples",
)


def conditions(given: Sequence[str] | None) -> dict[str, str]:
    """NAME=VALUE options as a mapping. Raises UsageError for one of another form, or a name given twice."""
    from seqflow.errors import UsageError

    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--condition {text}: is not of the form NAME=VALUE, such as digit=7")
        if name in found:
            raise UsageError(f"--condition {text}: {name} is given twice; leave one out")
        found[name] = value
    return found


def sample(
    run: RunArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    n: Annotated[
        int | None,
        typer.Option("-n", metavar="N", help="How many; left out: as the recipe says.", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Length in seconds; left out: as the recipe says.", show_default=False
        ),
    ] = None,
    length: Annotated[
        int | None, typer.Option(metavar="SAMPLES", help="Length in samples instead.", show_default=False)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Factor on the noise: below 1 less varied; left out: as the recipe says.",
            show_default=False,
        ),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Central mass to draw the noise from: below 1 nothing far out; left out: the recipe's.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Literal["whole", "continue"],
        typer.Option(help="One pass; or a window, carried on given what comes before: slow."),
    ] = "whole",
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition",
            metavar="NAME=VALUE",
            help="Of recordings for which this is declared; see: seqflow info. May be given again; left out: "
            "unknown.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="SEED", help="The same seed gives the same files.")] = 0,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Draw sequences from a model into files.

    WAV for audio, CSV and NumPy arrays for sensors, and a figure of all.
    """
    from seqflow.jobs.sample import write_samples
    from seqflow.model import Model

    model = Model.load(run, device)
    with Progress("sequences", quiet=json) as progress:
        made = write_samples(
            model,
            out,
            n=n,
            length=length,
            seconds=seconds,
            temperature=temperature,
            truncation=truncation,
            method=method,
            seed=seed,
            condition=conditions(condition),
            on_progress=progress.update,
        )
    if json:
        console.say_json(made)
        return
    for path in (*made.paths, made.figure):
        console.say(str(path))
    if made.redrawn:
        console.note(f"note: {made.redrawn} sequences were not finite and drawn again")
    if made.left:
        console.note(f"note: {made.left} draws left full scale and were drawn again")
    if made.beyond:
        console.note(f"note: {made.beyond} samples lie beyond full scale; in 16-bit files they are cut to it")
