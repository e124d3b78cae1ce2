"""The `seqflow` command: its commands in the order of use, and what becomes of errors."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from seqflow.errors import RecipeError, SeqflowError
from seqflow.files import FULL

from . import batch, check, console, data, demo, export, info, recipes, sample, score, train
from .options import MARKUP, examples

INTERNAL, RESOURCE, INTERRUPTED, READER_GONE = 1, 5, 130, 141

app = typer.Typer(
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "seqflow demo                       the whole way on real recordings",
        "seqflow recipes                    what there is to start from",
        "seqflow train toy/sine             makes a model in the folder runs/toy/sine",
        "seqflow score runs/toy/sine FILES  what in them is unusual, and where",
        "seqflow COMMAND --help             what a command takes, with examples",
    ),
)

_START, _USE, _LOOK = "Start", "Use a model", "Look things up"
app.command("demo", epilog=demo.EXAMPLES, rich_help_panel=_START)(demo.demo)
app.add_typer(recipes.app, name="recipes", rich_help_panel=_START)
app.command("check", epilog=check.EXAMPLES, rich_help_panel=_START)(check.check)
app.command("train", epilog=train.EXAMPLES, rich_help_panel=_START)(train.train)
app.command("score", epilog=score.EXAMPLES, rich_help_panel=_USE)(score.score)
app.command("batch", epilog=batch.EXAMPLES, rich_help_panel=_USE)(batch.batch)
app.command("sample", epilog=sample.EXAMPLES, rich_help_panel=_USE)(sample.sample)
app.command("export", epilog=export.EXAMPLES, rich_help_panel=_USE)(export.export)
app.command("info", epilog=info.EXAMPLES, rich_help_panel=_LOOK)(info.info)
app.add_typer(data.app, name="data", rich_help_panel=_LOOK)


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
    if version:
        from seqflow import __version__

        console.say(f"seqflow {__version__}")
    elif context.invoked_subcommand is None:
        text = context.get_help()
        if text:  # on terminals it is printed already
            console.say_text(text)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 1 a fault of this program, 2 usage or recipe, 3 some inputs failed, 4 all failed, 5 no disk or
    memory, 130 interrupted, 141 the reader of the output went away. A failure is one line on stderr;
    `--debug` anywhere before `--` adds the traceback.
    """
    words = list(sys.argv[1:] if args is None else args)
    options = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in options
    if debug:
        words.remove("--debug")
    elif not sys.warnoptions:
        # Both speak to programmers, of caches and buffers.
        warnings.simplefilter("ignore")
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
    console.prepare()
    try:
        with _terminable():
            code = int(app(words, prog_name="seqflow", standalone_mode=False) or 0)
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (console.ReaderGoneError, BrokenPipeError):
        _forget_stdout()
        return READER_GONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        lines, code = _failure(error)
        for line in lines:
            console.fail(line)
        try:
            sys.stdout.flush()
        except OSError:
            _forget_stdout()
        return code
    if code == INTERRUPTED:
        console.note("seqflow: interrupted")
    return code


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: what is half written goes, and worker processes with it."""
    main_thread = threading.current_thread() is threading.main_thread()
    if not main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _failure(error: Exception) -> tuple[list[str], int]:
    """Lines for a failure, and the exit code."""
    if isinstance(error, RecipeError):
        return error.problems, error.exit_code
    if isinstance(error, SeqflowError):
        return [str(error)], error.exit_code
    if hasattr(error, "format_message"):  # what Typer raises where words do not fit a command
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "seqflow"
        return [f"{command}: {' '.join(error.format_message().split())} (see: {command} --help)"], 2
    if isinstance(error, OSError) and error.errno in FULL:
        return ["seqflow: no space left on the disk; make room, or choose another folder"], RESOURCE
    # Of torch only the words are known here: this module must not import it.
    no_memory = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    if isinstance(error, MemoryError) or no_memory:
        return ["seqflow: out of memory; use smaller batches or shorter windows, or another device"], RESOURCE
    reason = " ".join(str(error).split())
    return [
        f"seqflow: internal error: {type(error).__name__}: {reason}; the same with --debug shows where"
    ], INTERNAL


def _forget_stdout() -> None:
    """Python flushes stdout when it ends, and would complain once more."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
