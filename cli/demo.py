"""`seqflow demo`: the whole way on real recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, examples
from .progress import Progress
from .score import show_scores
from .train import Show

if TYPE_CHECKING:
    from seqflow.jobs.demo import Stage
    from seqflow.training.events import Event

EXAMPLES = examples("seqflow demo", "seqflow demo --out somewhere")


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for what it makes.")] = Path(
        "demo-output"
    ),
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Train, score and sample on real recordings, in a minute or two."""
    from seqflow.jobs.demo import Stage, run_demo

    with Progress("step", quiet=json) as progress:
        show_training = Show(progress, json=json)

        def show(event: Event | Stage) -> None:
            if not isinstance(event, Stage):
                show_training(event)
            elif json:
                console.say_json({"event": "stage", "title": event.title})
            else:
                progress.note(f"== {event.title}")

        made = run_demo(out, device=device, on_event=show)
    if json:
        scores = {name: one.row() for name, one in made.scores.items()}
        console.say_json({"event": "made", **console.plain(made), "scores": console.plain(scores)})
        return
    show_scores(list(made.scores.values()))
    start, end = made.fault
    console.note(f"the fault in quiet-with-fault was put in at {start:.2f} to {end:.2f} s")
    console.note(f"all of it took {console.clock(made.seconds)}")
    console.pairs(
        [
            ("model", str(made.run)),
            ("recordings", str(made.recordings)),
            ("scores", str(made.tables / "scores.csv")),
            ("the fault, found", str(made.tables / "figures" / "01-quiet-with-fault.csv.png")),
            ("drawn waves", str(made.samples.figure)),
        ]
    )
