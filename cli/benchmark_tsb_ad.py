"""`seqflow benchmark tsb-ad`: a detector on the series of the TSB-AD benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import JsonOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.benchmark_tsb_ad import SeriesDone

EXAMPLES = examples(
    "seqflow benchmark tsb-ad TSB-AD-U --windows windows.csv --published VUS-PR.csv --jobs 4",
    "seqflow benchmark tsb-ad TSB-AD-M --protocol whole --out judged",
    "seqflow benchmark tsb-ad TSB-AD-U --limit 20 --json",
)


def tsb_ad(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="CSV files with value columns and a column Label, named as TSB-AD names them.",
            show_default=False,
        ),
    ],
    windows: Annotated[
        Path | None,
        typer.Option(
            "--windows",
            metavar="CSV",
            help="Buffer windows, columns file and window; left out: estimated as TSB-AD does.",
            show_default=False,
        ),
    ] = None,
    published: Annotated[
        Path | None,
        typer.Option(
            "--published",
            metavar="CSV",
            help="VUS-PR of other methods to stand beside, a column each.",
            show_default=False,
        ),
    ] = None,
    detector: Annotated[
        str,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="shapes: mixtures of the shapes of windows. flow: couplings over them, where they help.",
        ),
    ] = "shapes",
    protocol: Annotated[
        str,
        typer.Option(
            metavar="PROTOCOL",
            help="Fit on the prefix that each name gives (prefix), on all (whole), or on both (both).",
        ),
    ] = "prefix",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of scores and tables.")] = Path(
        "runs/tsb-ad"
    ),
    jobs: Annotated[int, typer.Option("--jobs", metavar="N", help="Processes, a thread each.")] = 1,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            help="At most so many series, evenly spread over their names.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="S", help="Most seconds for one series.")] = 3600.0,
    json: JsonOption = False,
) -> None:
    """How well anomalies in labelled series are found: VUS-PR, VUS-ROC, AUC-PR, AUC-ROC.

    One configuration for all series; labels are for judging only. Writes series.csv, summary.json and
    summary.md. Given again, it goes on where it was stopped.
    """
    from seqflow.jobs.benchmark_tsb_ad import benchmark_tsb_ad
    from seqflow.jobs.tsb_ad_detector import find_detector
    from seqflow.jobs.tsb_ad_results import facts, summary, tables

    with Progress("series", quiet=json) as progress:

        def show(event: SeriesDone) -> None:
            row = event.row
            if not row.judged and not json:
                progress.note(f"{row.name}: {row.status}: {row.detail}")
            progress.update(event.done, event.total, row.name)

        result = benchmark_tsb_ad(
            folder,
            out,
            detect=find_detector(detector),
            windows=windows,
            published=published,
            protocol=protocol,
            jobs=jobs,
            limit=limit,
            timeout=timeout,
            on_progress=show,
        )
    if json:
        console.say_json(summary(result))
        raise typer.Exit(result.exit_code)
    for number, table in enumerate(tables(result)):
        if number:
            console.say()
        console.table(table.head, table.rows, right=table.right)
    for fact in facts(result):
        console.note(fact)
    for path in result.paths:
        console.note(str(path))
    raise typer.Exit(result.exit_code)
