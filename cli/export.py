"""`seqflow export`: a model as a file that torch runs without seqflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .options import JsonOption, RunArgument, examples

EXAMPLES = examples(
    "seqflow export runs/toy/sine --out sine.pt2",
    "seqflow export runs/audio/fsdd --out fsdd.pt2 --length 8192",
)


def export(
    run: RunArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.pt2", help="The file to write.", show_default=False)
    ],
    length: Annotated[
        int | None,
        typer.Option(
            "--length",
            metavar="SAMPLES",
            help="Length of the sequences it will take; left out: one window of the recipe.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a model as a file that torch runs without seqflow.

    It gives log-density and noise of a sequence; it is checked against the model before it is kept.
    """
    from seqflow.jobs.export import export_model
    from seqflow.model import Model

    written = export_model(Model.load(run), out, length=length)
    if json:
        console.say_json(written)
        return
    condition = f", condition (B, {written.condition})" if written.condition else ""
    console.say(
        f"{written.path}: x (B, {written.channels}, {written.length}), position (B), step (B){condition} -> "
        f"log_prob, noise, log_det; {written.size} bytes; differs from the model by {written.difference:.2g}"
    )
