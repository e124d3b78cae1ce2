"""`seqflow inpaint`: a stretch of a recording drawn anew, given the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

EXAMPLES = examples(
    "seqflow inpaint runs/audio/fsdd 7_theo_5.wav --from 0.15 --to 0.17 --out filled",
    "seqflow inpaint runs/sensor/ecg ecg.csv --from 12 --to 12.5 -n 8 --steps 300 --out filled",
)


def inpaint(
    run: RunArgument,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The recording.", show_default=False)],
    begin: Annotated[
        float,
        typer.Option(
            "--from", metavar="S", help="Where the stretch begins, seconds; samples without a rate."
        ),
    ],
    end: Annotated[float, typer.Option("--to", metavar="S", help="Where it ends.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many draws.")] = 4,
    seed: Annotated[int, typer.Option(metavar="SEED", help="The same seed gives the same files.")] = 0,
    steps: Annotated[
        int,
        typer.Option(metavar="STEPS", help="Trajectories of the sampler: more are slower, and closer."),
    ] = 100,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Draw a stretch of a recording anew, given what surrounds it.

    Draws come from the model's exact density of the stretch given the rest, by a sampler that starts at
    linear prediction. All other samples stay as they are.
    """
    from seqflow.jobs.inpaint import write_inpainted
    from seqflow.model import Model

    model = Model.load(run, device)
    with Progress("steps", quiet=json) as progress:
        made = write_inpainted(
            model,
            path,
            out,
            begin=begin,
            end=end,
            n=n,
            seed=seed,
            steps=steps,
            on_progress=progress.update,
        )
    if json:
        console.say_json(made)
        return
    for written in (*made.paths, made.figure):
        console.say(str(written))
    accepted = sum(made.acceptance) / len(made.acceptance)
    before, after = (console.number(_mean(found), 1) for found in (made.started, made.potential))
    console.note(
        f"samples {made.start} to {made.stop}; {100 * accepted:.0f}% of the sampler's proposals accepted; "
        f"-log p {before} where it started, {after} where it ended"
    )
    if made.beyond:
        console.note(f"note: {made.beyond} samples lie beyond full scale; in 16-bit files they are cut to it")


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
