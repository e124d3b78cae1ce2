"""The commands in the order of use, and what the command says of itself."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    batch,
    benchmark,
    calibrate,
    check,
    console,
    data,
    demo,
    detect,
    explain,
    export,
    info,
    inpaint,
    latent,
    recipes,
    sample,
    score,
    serve,
    stream,
    team,
    train,
)
from .options import MARKUP, examples

app = typer.Typer(
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "seqflow demo                       the whole way on real recordings",
        "seqflow recipes                    what there is to start from",
        "seqflow detect FILE                where a series is odd, without training",
        "seqflow train toy/sine             makes a model in the folder runs/toy/sine",
        "seqflow score runs/toy/sine FILES  what in them is unusual, and where",
        "seqflow COMMAND --help             what a command takes, with examples",
    ),
)

_START, _USE, _LOOK = "Start", "Use a model", "Look things up"
app.command("demo", epilog=demo.EXAMPLES, rich_help_panel=_START)(demo.demo)
app.add_typer(recipes.app, name="recipes", rich_help_panel=_START)
app.command("check", epilog=check.EXAMPLES, rich_help_panel=_START)(check.check)
app.command("detect", epilog=detect.EXAMPLES, rich_help_panel=_START)(detect.detect)
app.command("train", epilog=train.EXAMPLES, rich_help_panel=_START)(train.train)
app.command("score", epilog=score.EXAMPLES, rich_help_panel=_USE)(score.score)
app.command("stream", epilog=stream.EXAMPLES, rich_help_panel=_USE)(stream.stream)
app.command("batch", epilog=batch.EXAMPLES, rich_help_panel=_USE)(batch.batch)
app.command("serve", epilog=serve.EXAMPLES, rich_help_panel=_USE)(serve.serve)
app.command("calibrate", epilog=calibrate.EXAMPLES, rich_help_panel=_USE)(calibrate.calibrate)
app.command("sample", epilog=sample.EXAMPLES, rich_help_panel=_USE)(sample.sample)
app.command("inpaint", epilog=inpaint.EXAMPLES, rich_help_panel=_USE)(inpaint.inpaint)
app.command("explain", epilog=explain.EXAMPLES, rich_help_panel=_USE)(explain.explain)
app.command("morph", epilog=latent.MORPH_EXAMPLES, rich_help_panel=_USE)(latent.morph)
app.command("reconstruct", epilog=latent.RECONSTRUCT_EXAMPLES, rich_help_panel=_USE)(latent.reconstruct)
app.command("export", epilog=export.EXAMPLES, rich_help_panel=_USE)(export.export)
app.command("info", epilog=info.EXAMPLES, rich_help_panel=_LOOK)(info.info)
app.add_typer(data.app, name="data", rich_help_panel=_LOOK)
app.add_typer(benchmark.app, name="benchmark", rich_help_panel=_LOOK)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", show_default=False)
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error; any command.", show_default=False),
    ] = False,
) -> None:
    """Learn what recordings normally look like; then find what does not, and draw new ones.

    Models of raw waveforms and sensor series with an exact likelihood, by invertible convolutions.
    """
    team.check(context.invoked_subcommand)
    if version:
        from seqflow import __version__

        console.say(f"seqflow {__version__}")
    elif context.invoked_subcommand is None:
        text = context.get_help()
        if text:  # on terminals it is printed already
            console.say_text(text)
