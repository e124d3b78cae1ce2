"""`seqflow sample`: sequences drawn from a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

EXAMPLES = examples(
    "seqflow sample runs/toy/machine --out samples",
    "seqflow sample runs/audio/fsdd -n 16 --seconds 2 --temperature 0.8 --seed 1 --out samples",
)


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
            seed=seed,
            on_progress=progress.update,
        )
    if json:
        console.say_json(made)
        return
    for path in (*made.paths, made.figure):
        console.say(str(path))
    if made.redrawn:
        console.note(f"note: {made.redrawn} sequences were not finite and drawn again")
    if made.beyond:
        console.note(f"note: {made.beyond} samples lie beyond full scale; in 16-bit files they are cut to it")
