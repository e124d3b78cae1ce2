"""`seqflow train`: from a recipe to a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RecipeArgument, SetOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.training.events import Event

EXAMPLES = examples(
    "seqflow train toy/sine",
    "seqflow train audio/fsdd --set data.root=recordings --set train.steps=500",
    "seqflow train mine.yaml --out runs/first",
    "seqflow train mine.yaml --out runs/first --resume",
)


def train(
    recipe: RecipeArgument,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RUN",
            help="Folder of the run; left out: runs/ and its name.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in this folder.", show_default=False)
    ] = False,
    allow_data_change: Annotated[
        bool,
        typer.Option(
            "--allow-data-change",
            help="With --resume: go on although the recordings have changed.",
            show_default=False,
        ),
    ] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Train a model by a recipe, into a folder of its own.

    With several GPUs or hosts: torchrun --standalone --nproc-per-node N -m seqflow_cli train RECIPE ...
    """
    from seqflow.recipe import load
    from seqflow.training import train as train_model

    loaded = load(recipe, set_ or ())
    folder = out or Path("runs", loaded.name)
    with Progress("step", quiet=json) as progress:
        show = Show(progress, json=json, every=loaded.train.log_every)
        train_model(
            loaded,
            folder,
            resume=resume,
            device=device,
            on_event=show,
            allow_data_change=allow_data_change,
        )
    if not json:
        console.say(show.result)
        console.note(f"next: seqflow score {folder} PATH..., or seqflow sample {folder} --out DIR")


class Show:
    """Shows what a training tells: notes and progress on stderr, or events as lines of JSON on stdout."""

    def __init__(self, progress: Progress, *, json: bool = False, every: int = 20) -> None:
        self.progress = progress
        self.every = every
        self.json = json
        self.result = ""
        self.draws = ""

    def __call__(self, event: Event) -> None:
        """Show one event."""
        from seqflow.training import events

        if self.json:
            console.say_json({"event": event_name(event), **console.plain(event)})
        if isinstance(event, events.Step):
            speed = f"{event.samples_per_second:,.0f} samples/s"
            if event.draws is not None:
                self.draws = f"draws {event.draws:.3f} off  "
            left = f"{console.clock(event.eta_seconds)} left"
            text = f"{likelihood(event.bits, event.nats)}  {self.draws}{speed}  {left}"
            due = event.step % self.every == 0 or event.step == event.steps
            self.progress.update(event.step, event.steps, text, line=due)
        elif isinstance(event, events.Finished):
            self.result = (
                f"{event.path}: {likelihood(event.bits, event.nats)} on validation windows at step "
                f"{event.step}; {console.clock(event.seconds)}"
            )
        elif not self.json and (line := sentence(event)):
            self.progress.note(line)


def event_name(event: Event) -> str:
    """`LeftOut` as left_out."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def likelihood(bits: float | None, nats: float) -> str:
    """Bits per sample; nats where the data have no step, and bits no meaning."""
    return f"{nats:.3f} nats/sample" if bits is None else f"{bits:.3f} bits/sample"


def sentence(event: Event) -> str:
    """A line on an event, for people; empty for those that need none."""
    from seqflow.scoring.fuse import rate_text
    from seqflow.training import events

    match event:
        case events.Started():
            how = f"going on after step {event.step}" if event.resumed else "training"
            by = f", {event.processes} processes" if event.processes > 1 else ""
            return (
                f"{event.out}: {how}: {event.parameters:,} parameters, {event.train_windows:,} windows "
                f"({event.valid_windows:,} for validation), {event.steps:,} steps, on {event.device}{by}"
            )
        case events.LeftOut():
            return f"left out: {event.path}: {event.code}: {event.message}"
        case events.Warned():
            return f"warning: {event.message}"
        case events.Skipped():
            return f"step {event.step} skipped: not finite ({event.total} so far, {event.in_a_row} in a row)"
        case events.MicroBatch():
            return f"step {event.step}: memory ran out; on with {event.size} windows at a time"
        case events.Validated():
            fit = f"; not kept: {event.reason}" if event.reason else "; best so far" if event.best else ""
            return (
                f"step {event.step}: validation {likelihood(event.bits, event.nats)}, round-trip error "
                f"{event.round_trip_float32:.1e}{fit}"
            )
        case events.Calibrated():
            units = f"{event.units} {event.unit}{'s' * (event.units != 1)}"
            rate = rate_text(event.attainable_rate)
            return f"calibrated on {units}: false alarms from {rate} on can be promised"
        case events.Uncalibrated():
            return f"not calibrated: {event.reason}"
        case _:
            return ""
