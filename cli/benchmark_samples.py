"""`seqflow benchmark samples`: generated sequences beside real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.sample_results import SampleBenchmark

EXAMPLES = examples(
    "seqflow benchmark samples runs/audio/fsdd --out judged",
    r"seqflow benchmark samples runs/audio/fsdd -n 2000 --label-pattern '^(\d)_' --out judged",
    "seqflow benchmark samples runs/toy/machine new-recordings/ --temperature 0.9 --json",
)


def samples(
    run: RunArgument,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Real recordings to compare with; left out: the recipe's test recordings.",
            show_default=False,
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many sequences to draw.")] = 1000,
    length: Annotated[
        int | None,
        typer.Option(
            metavar="SAMPLES", help="Length of each; left out: a window of the recipe.", show_default=False
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(metavar="X", help="Factor on the noise: below 1 less varied.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(metavar="SEED", help="The same seed gives the same figures.")] = 0,
    label_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="A class in the names of files, such as '^(\\d)_', beside the recipe's conditions.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for samples.json, .md and .html; left out: benchmark in the folder of RUN.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Judge generated sequences beside real held-out ones, and make a page to listen to.

    Beside each figure stands what other real recordings reach: no model can be expected to do better.
    """
    from seqflow.jobs.benchmark_samples import benchmark_samples
    from seqflow.model import Model

    model = Model.load(run, device)
    if out is None:
        out = (run if run.is_dir() else run.parent) / "benchmark"
    with Progress("benchmark", quiet=json) as progress:
        result = benchmark_samples(
            model,
            out,
            folder=folder,
            n=n,
            length=length,
            temperature=temperature,
            seed=seed,
            label_pattern=label_pattern,
            on_progress=progress.update,
        )
    if json:
        console.say_text(result.paths[0].read_text(encoding="utf-8"))
        return
    show(result)


def show(result: SampleBenchmark) -> None:
    """The figures as a table on stdout; on stderr what stands behind them, and where the page is."""
    from seqflow.jobs.sample_results import HEAD, facts, sentences, table

    console.table(HEAD, table(result), right=["generated", "real against real", "goal"])
    for name, text in facts(result):
        console.note(f"{name}: {text}")
    for report in result.classes:
        for line in sentences(report):
            console.note(line)
    for note in result.notes:
        console.note(f"note: {note}")
    console.note(f"written to {result.paths[0].parent}; listen: {result.paths[-1]}")
