"""Arguments and options that several commands share, each with its one wording."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

MARKUP: Literal["rich"] | None = "rich" if sys.stdout is not None and sys.stdout.isatty() else None
"""Help in boxes on terminals, in plain lines elsewhere."""


def examples(*lines: str) -> str:
    """Command lines to show at the end of a help page, as they are."""
    if MARKUP:
        return "\n".join(["Examples:", *(f"  {line}".replace("[", r"\[") for line in lines)])
    # The mark that keeps the lines from being filled up.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _recipe_names(incomplete: str) -> Iterator[str]:
    from seqflow.recipe import names

    return (name for name in names() if name.startswith(incomplete))


RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A YAML file, or the name of a recipe that comes with seqflow (see: seqflow recipes).",
        autocompletion=_recipe_names,
        show_default=False,
    ),
]
RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN", help="The folder of a training run, or its best.safetensors.", show_default=False
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value of the recipe, such as train.steps=500. May be given again.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, or cuda:N.", show_default=True)
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs to read.", show_default=False)
]
StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse recordings that are damaged but readable, such as cut ones.",
        show_default=False,
    ),
]
AlarmRateOption = Annotated[
    float | None,
    typer.Option(
        "--alarm-rate",
        metavar="RATE",
        help="False alarms accepted, a fraction; left out: as the recipe says.",
        show_default=False,
    ),
]
AlarmsPerHourOption = Annotated[
    float | None,
    typer.Option(
        "--alarms-per-hour",
        metavar="R",
        help="False events accepted per hour of signal, in place of --alarm-rate; by blocks of windows.",
        show_default=False,
    ),
]
TailOption = Annotated[
    Literal["conformal", "pareto"] | None,
    typer.Option(
        "--tail",
        help="Where p-values end: at what the calibration can promise, or by a fitted tail, ten times lower.",
        show_default=False,
    ),
]
