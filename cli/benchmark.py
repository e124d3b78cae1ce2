"""`seqflow benchmark`: models measured beside what is known without them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import benchmark_corruptions, benchmark_events, benchmark_samples, benchmark_tsb_ad, console
from .options import MARKUP, DeviceOption, JsonOption, SetOption, examples
from .progress import Progress
from .train import Show

if TYPE_CHECKING:
    from seqflow.training.events import Event

app = typer.Typer(
    rich_markup_mode=MARKUP,
    no_args_is_help=True,
    help="Measure models beside others.",
    epilog=examples(
        "seqflow benchmark density audio/fsdd --set data.root=recordings --out compared",
        "seqflow benchmark samples runs/audio/fsdd --out judged",
        "seqflow benchmark corruptions runs/audio/fsdd unseen/ --out corrupted",
        "seqflow benchmark tsb-ad TSB-AD-U --windows windows.csv --out found",
    ),
)


@app.callback()
def benchmark() -> None:
    """Measure models beside others."""


@app.command(
    "density",
    epilog=examples(
        "seqflow benchmark density audio/fsdd baseline/glow baseline/spline --set data.root=recordings",
        "seqflow benchmark density --run runs/audio/fsdd --set data.root=recordings",
        "seqflow benchmark density sensor/ecg baseline/glow --data sensor/ecg --set data.root=recordings",
        "seqflow benchmark density --data sensor/nab --set data.root=nab    (the references alone)",
    ),
)
def density(
    recipes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE",
            help="To train, each into DIR/NAME unless it lies there trained, and to measure.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", metavar="RUN", help="A trained model to measure. May be given again.", show_default=False
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="RECIPE",
            help="Put the model of every RECIPE on this one's data, with its training.",
            show_default=False,
        ),
    ] = None,
    set_: SetOption = None,
    windows: Annotated[int, typer.Option(metavar="N", help="Most windows to measure on.")] = 384,
    length: Annotated[
        int | None,
        typer.Option(
            metavar="SAMPLES", help="Of a window; left out: as the recipe says.", show_default=False
        ),
    ] = None,
    part: Annotated[
        str,
        typer.Option(
            metavar="PART",
            help="Held-out data to measure on: test, valid or calibration. auto: test, else valid.",
        ),
    ] = "auto",
    order: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Order of the autoregressions; left out: 32 for audio, 8 for series.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for runs and tables.")] = Path(
        "runs/density"
    ),
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Likelihood of held-out windows: flows beside classical densities and FLAC.

    All on the same windows. Writes density.json, density.md and density.csv. Given again, it goes on where it
    was stopped.
    """
    from seqflow.jobs.benchmark_density import benchmark_density
    from seqflow.jobs.density_results import facts, head, plain, table

    with Progress("step", quiet=json) as progress:
        show = Show(progress)

        def tell(what: str, event: Event | None) -> None:
            if json:
                return
            if event is None:
                progress.note(f"== {what}")
            else:
                show(event)

        found = benchmark_density(
            recipes or (),
            out,
            runs=run or (),
            data=data,
            overrides=set_ or (),
            windows=windows,
            length=length,
            part=part,
            order=order,
            device=device,
            on_progress=tell,
        )
    if json:
        console.say_json(plain(found))
        return
    titles = head(found)
    console.table(titles, table(found), right=titles[1:])
    for fact in facts(found):
        console.note(fact)
    for path in found.paths:
        console.note(str(path))


app.command("samples", epilog=benchmark_samples.EXAMPLES)(benchmark_samples.samples)
app.command("events", epilog=benchmark_events.EXAMPLES)(benchmark_events.events)
app.command("corruptions", epilog=benchmark_corruptions.EXAMPLES)(benchmark_corruptions.corruptions)
app.command("tsb-ad", epilog=benchmark_tsb_ad.EXAMPLES)(benchmark_tsb_ad.tsb_ad)
