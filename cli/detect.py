"""`seqflow detect`: where a series is odd, without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import JsonOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.detect_results import Detection
    from seqflow.scoring.ranked import RankedInterval

EXAMPLES = examples(
    "seqflow detect pump.csv",
    "seqflow detect pump.csv --normal 7d --out found --figures",
    "seqflow detect 'logs/*.parquet' --column temperature --column load --top 3",
    "seqflow detect ecg.npy --normal 5m --prefix-only --train 10",
    "seqflow detect recording.wav --normal 10s --prefix-only --json",
)


def detect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="CSV, Parquet, NumPy and audio files, folders with all below them, or patterns.",
            show_default=False,
        ),
    ],
    normal: Annotated[
        str | None,
        typer.Option(
            "--normal",
            metavar="N|TIME",
            help="How much of the beginning is known to be normal: samples, or a time such as 90s, 6h, 2d.",
            show_default=False,
        ),
    ] = None,
    prefix_only: Annotated[
        bool,
        typer.Option(
            "--prefix-only", help="Fit on that beginning alone, not on all as well.", show_default=False
        ),
    ] = False,
    train: Annotated[
        float | None,
        typer.Option(
            "--train",
            metavar="SECONDS",
            help="Train couplings over the shapes of each window length for so long, keep those that help.",
            show_default=False,
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A value column of a table; may be given again. Left out: all with numbers.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label", metavar="NAME", help="A column of labels, which is left out.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for events.csv, events.json and the score of every sample.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="K", help="Most intervals of a series.")] = 5,
    figures: Annotated[
        bool, typer.Option("--figures", help="Draw each series, below --out.", show_default=False)
    ] = False,
    json: JsonOption = False,
) -> None:
    """Find where a series is odd: no training run, no labels.

    Lists the most unusual intervals. They are ranks within a series, no calibrated alarms.
    """
    from seqflow.jobs.detect import detect_paths
    from seqflow.jobs.detect_results import RANKS, exit_code

    with Progress("files", quiet=json) as progress:

        def show(one: Detection, done: int, total: int) -> None:
            progress.update(done, total)
            if json:
                console.say_json(one.row())

        found = detect_paths(
            paths,
            normal=normal,
            prefix_only=prefix_only,
            columns=column,
            label=label,
            out=out,
            top=top,
            figures=figures,
            train=train,
            on_result=show,
        )
    if not json:
        _show(found)
        if any(one.scored for one in found):
            console.note(RANKS)
        if out is not None:
            console.note(f"written to {out}")
    raise typer.Exit(exit_code(found))


def _show(found: Sequence[Detection]) -> None:
    """A table of the events on stdout; on stderr how each series was looked at, or why it was not."""
    from seqflow.jobs.detect_results import facts

    several, shares = len(found) > 1, any(event.channels for one in found for event in one.events)
    head = [*(["series"] if several else []), "rank", "from", "to", "peak", "height"]
    rows = [
        [
            *([one.name] if several else []),
            *(str(event.rank), *_places(one, event), console.number(event.height, 2)),
            *([_channels(event)] if shares else []),
        ]
        for one in found
        for event in one.events
    ]
    if rows:
        console.table([*head, *(["channels"] if shares else [])], rows, right=["rank", "height"])
    for one in found:
        for line in facts(one):
            console.note(f"{one.name}: {line}")
        if one.scored and not one.events:
            console.note(f"{one.name}: nothing rises above its usual level")


def _places(one: Detection, event: RankedInterval) -> list[str]:
    """First and last sample and the peak: time stamps where there are some, else seconds, else samples."""
    places = [event.start, event.end - 1, event.peak]
    times = [event.start_time, event.last_time, event.peak_time]
    shown = []
    for at, time in zip(places, times, strict=True):
        if one.rate is None:
            shown.append(time or str(at))
        else:
            long = one.samples / one.rate >= 3600.0
            shown.append(
                time or (console.moment(at / one.rate, one.rate) if long else f"{at / one.rate:.3f} s")
            )
    return shown


def _channels(event: RankedInterval) -> str:
    return ", ".join(f"{name} {100.0 * share:.0f}%" for name, share in (event.channels or {}).items())
