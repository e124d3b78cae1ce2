"""`seqflow morph` and `seqflow reconstruct`: recordings moved in the space of the noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples

if TYPE_CHECKING:
    from seqflow.jobs.latent import Moved

MORPH_EXAMPLES = examples("seqflow morph runs/audio/fsdd 7_theo_5.wav 3_theo_5.wav -n 8 --out morphed")
RECONSTRUCT_EXAMPLES = examples(
    "seqflow reconstruct runs/audio/fsdd 7_theo_5.wav --temperature 0.8 --out usual",
)

OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)
]


def morph(
    run: RunArgument,
    a: Annotated[Path, typer.Argument(metavar="A", help="The recording to start at.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="The recording to end at.", show_default=False)],
    out: OutOption,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many, with both ends.")] = 8,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Go from one recording to another through the space of the noise.

    The longer one is cut to the length of the shorter.
    """
    from seqflow.jobs.latent import write_morph
    from seqflow.model import Model

    _show(write_morph(Model.load(run, device), a, b, out, n=n), json)


def reconstruct(
    run: RunArgument,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The recording.", show_default=False)],
    out: OutOption,
    temperature: Annotated[
        float, typer.Option(metavar="X", help="Factor on its noise: below 1 towards the usual, 1 for itself.")
    ] = 0.8,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Make a recording more usual, or less: take it to noise, scale that, and bring it back."""
    from seqflow.jobs.latent import write_reconstruction
    from seqflow.model import Model

    _show(write_reconstruction(Model.load(run, device), path, out, temperature=temperature), json)


def _show(made: Moved, json: bool) -> None:
    if json:
        console.say_json(made)
        return
    for path in (*made.paths, made.figure):
        console.say(str(path))
    if made.beyond:
        console.note(f"note: {made.beyond} samples lie beyond full scale; in 16-bit files they are cut to it")
