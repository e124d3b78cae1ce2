"""`seqflow data`: recordings to look at, to fetch and to make up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import console
from .options import MARKUP, JsonOption, RecipeArgument, SetOption, examples
from .progress import Progress

if TYPE_CHECKING:
    from seqflow.jobs.inspect import Found
    from seqflow.jobs.pack import Packed

app = typer.Typer(
    rich_markup_mode=MARKUP,
    help="List, fetch, look at, make up and pack recordings.",
    epilog=examples(
        "seqflow data",
        "seqflow data inspect recordings/",
        "seqflow data download fsdd",
        "seqflow data make machine --out recordings -n 20 --faulty 5",
    ),
)


@app.callback(invoke_without_command=True)
def data(context: typer.Context, json: JsonOption = False) -> None:
    """List, fetch, look at, make up and pack recordings."""
    if context.invoked_subcommand is None:
        list_(json)


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List public data sets, as `seqflow data` alone does."""
    from seqflow.data.catalog import CATALOG

    if json:
        console.say_json(list(CATALOG.values()))
        return
    console.table(
        ["name", "recipe", "licence", "what it is"],
        [[one.name, one.recipe, one.licence, one.description] for one in CATALOG.values()],
    )
    console.note("fetch one: seqflow data download NAME")


@app.command(
    "inspect",
    epilog=examples(
        "seqflow data inspect recordings/", "seqflow data inspect 'day1/*.csv' --recipe sensor/nab"
    ),
)
def inspect(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, folders with all below them, also packed ones, or patterns.",
            show_default=False,
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="Read them as this recipe's data say.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Look at recordings: format, level, clipping, silence, gaps."""
    from seqflow.errors import InputError
    from seqflow.jobs.inspect import exit_code, inspect_paths
    from seqflow.recipe import load

    config = load(recipe).data if recipe is not None else None
    with Progress("files", quiet=json) as progress:

        def show(one: Found, done: int, total: int) -> None:
            progress.update(done, total)
            if json and isinstance(one, InputError):
                console.say_json({"path": one.path, "status": one.code, "detail": one.detail})
            elif json and not isinstance(one, InputError):
                console.say_json(one.row())

        found = inspect_paths(paths, config, on_result=show)
    if not json:
        show_found(found)
    raise typer.Exit(exit_code(found))


def show_found(found: Sequence[Found]) -> None:
    """A table of what could be read on stdout; what could not on stderr."""
    from seqflow.errors import InputError

    numbers = ["ch", "rate (Hz)", "length", "step", "peak", "rms", "clipped", "silent", "missing"]
    rows = []
    for one in found:
        if isinstance(one, InputError):
            continue
        length = f"{one.length}"
        if one.duration is not None and one.rate is not None:
            long = one.duration >= 3600.0
            length = console.moment(one.duration, one.rate) if long else f"{one.duration:.3f} s"
        level = console.number(one.rms) if one.rms_db is None else f"{one.rms_db:.1f} dB"
        rows.append(
            [
                *(one.path, one.kind, str(one.channels), f"{one.rate:g}" if one.rate else "-", length),
                *(f"{one.step:.4g}" if one.step else "-", f"{one.peak:.4g}", level),
                *(_percent(one.clipped), _percent(one.silent), _percent(one.missing)),
            ]
        )
    console.table(["file", "kind", *numbers], rows, right=numbers)
    for one in found:
        if isinstance(one, InputError):
            console.fail(str(one))
            continue
        if one.detail:
            console.note(f"{one.path}: {one.status}: {one.detail}")
        if one.constant:
            console.note(f"{one.path}: {constant(one.constant)}")


def constant(names: Sequence[str]) -> str:
    """Which channels never move."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"channel {shown} holds one value" if len(names) == 1 else f"channels {shown} hold one value each"


@app.command(
    "download", epilog=examples("seqflow data download fsdd", "seqflow data download nab --out data")
)
def download(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="As in: seqflow data list.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder that gets the folder NAME.")] = Path(
        "data"
    ),
    checksum: Annotated[
        str | None,
        typer.Option(
            metavar="sha256:HEX", help="What the archive must be; else as published.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fetch a public data set.

    Nothing is fetched by any other command.
    """
    from seqflow.data.catalog import CATALOG
    from seqflow.data.download import download as fetch

    with Progress("bytes", quiet=json) as progress:
        done = fetch(name, out, progress.update, checksum=checksum)
    if json:
        console.say_json(done)
        return
    entry = CATALOG[name]
    console.say(str(done.root))
    how = "its checksum is as published" if done.verified else f"taken on trust: sha256:{done.sha256}"
    console.note(f"{done.files} files; {how}; licence: {entry.licence}")
    console.note(f"next: seqflow train {entry.recipe} --set data.root={done.root}")


@app.command(
    "make",
    epilog=examples(
        "seqflow data make machine --out recordings -n 20",
        "seqflow data make sensor --out recordings -n 20 --faulty 5 --fault drift --fault spike",
    ),
)
def make(
    generator: Annotated[
        str, typer.Argument(metavar="KIND", help="sine, machine or sensor.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files.", show_default=False)
    ],
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many normal ones.")] = 8,
    faulty: Annotated[int, typer.Option(metavar="N", help="How many more with a fault.")] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A fault to use; may be given again. Left out: all.", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="Length of each, seconds.")] = 10.0,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="HZ", help="Samples per second; left out: as suits the kind.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="SEED", help="The same seed gives the same files.")] = 0,
    json: JsonOption = False,
) -> None:
    """Make up recordings, to try things without data.

    Normal ones go to DIR/normal, those with a fault to DIR/faulty; DIR/faults.jsonl tells the faults.
    """
    from seqflow.jobs.make import make_files

    made = make_files(
        generator,
        out,
        recordings=n,
        seconds=seconds,
        rate=rate,
        seed=seed,
        faulty=faulty,
        faults=tuple(fault or ()),
    )
    if json:
        console.say_json(made)
        return
    for path in (*made.normal, *made.faulty, *([made.listing] if made.listing else [])):
        console.say(str(path))


@app.command(
    "pack",
    epilog=examples(
        "seqflow data pack audio/fsdd --out shards",
        "seqflow data pack mine.yaml --set data.root=recordings --out shards",
        "seqflow train mine.yaml --set data.root=shards",
    ),
)
def pack(
    recipe: RecipeArgument,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the shards.", show_default=False)
    ],
    set_: SetOption = None,
    shard_mb: Annotated[
        int, typer.Option("--shard-mb", metavar="MB", min=1, help="Size of a shard, MiB.")
    ] = 256,
    json: JsonOption = False,
) -> None:
    """Pack a recipe's many files into few, to train from.

    Every recording is decoded once, as the recipe's data say. Set data.root to DIR then: the training is the
    same to the bit, and opens a file for every shard instead of one for every window.
    """
    from seqflow.jobs.pack import pack as pack_files
    from seqflow.recipe import load

    with Progress("files", quiet=json) as progress:
        packed = pack_files(load(recipe, set_ or ()), out, shard_mb=shard_mb, on_file=progress.update)
    if json:
        console.say_json(packed)
    else:
        console.say(str(packed.root))
        show_packed(packed)
        console.note(f"next: seqflow train {recipe} --set data.root={packed.root}")
    raise typer.Exit(3 if packed.left_out else 0)


def show_packed(packed: Packed) -> None:
    """On stderr what was left out, how much there is, and whether it is of one kind."""
    for error in packed.left_out:
        console.fail(str(error))
    size, shards = f"{packed.bytes / 1e6:,.1f} MB", f"{packed.shards:,} shard{'s' * (packed.shards != 1)}"
    console.note(f"{packed.recordings:,} recordings in {shards}, {size}")
    if len(packed.kinds) > 1:
        shown = ", ".join(
            f"{channels} channel{'s' * (channels != 1)}" + (f" at {rate:g} Hz" if rate else "")
            for rate, channels in packed.kinds[:4]
        )
        console.note(
            f"there are recordings of {shown}: a training leaves out what is not as its first recording "
            "is; set data.rate and data.channels, and pack anew, to use all"
        )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f}%" if share else "0"
