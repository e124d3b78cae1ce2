"""`seqflow explain`: what an interval should have looked like, and what is unusual about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.explain import Explanation

EXAMPLES = examples(
    "seqflow explain runs/vibration/cwru bearing.npy --out why",
    "seqflow explain runs/audio/fsdd 7_theo_6.wav --from 0.05 --to 0.07 --blank --out why",
)


def explain(
    run: RunArgument,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The recording.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    begin: Annotated[
        float | None,
        typer.Option(
            "--from",
            metavar="S",
            help="Where the interval begins, seconds; samples without a rate. Left out: the worst interval.",
            show_default=False,
        ),
    ] = None,
    end: Annotated[
        float | None, typer.Option("--to", metavar="S", help="Where it ends.", show_default=False)
    ] = None,
    blank: Annotated[
        bool,
        typer.Option(
            "--blank",
            help="Go by the surroundings alone, as for a dropout: what the interval holds does not count.",
            show_default=False,
        ),
    ] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Show what an interval should have looked like: the nearest normal sequence, and the residual.

    The noise of the interval is pulled back to where that of normal recordings lies, and inverted. Also tells
    each channel's share, and draws which frequencies are unusual at which time.
    """
    from seqflow.jobs.explain import write_explanation
    from seqflow.model import Model

    model = Model.load(run, device)
    with Progress("steps", quiet=json) as progress:
        made = write_explanation(
            model, path, out, begin=begin, end=end, blank=blank, on_progress=progress.update
        )
    if json:
        console.say_json(made)
    else:
        _show(made)


def _show(made: Explanation) -> None:
    for path in made.paths:
        console.say(str(path))
    judged = [
        f"score {console.number(one['score'], 2)}, p {console.number(one['p_value'])}, "
        f"height {console.number(one['height'], 2)}"
        for one in (made.before, made.after)
    ]
    console.note(f"samples {made.start} to {made.stop}: {judged[0]}; made normal: {judged[1]}")
    if len(made.channels) > 1:
        shares = [f"{name} {100.0 * share:.0f}%" for name, share in list(made.channels.items())[:5]]
        console.note(f"channels: {', '.join(shares)}")
    if made.beyond:
        console.note(f"note: {made.beyond} samples lie beyond full scale; in 16-bit files they are cut to it")
