"""What becomes of a command: its exit code, and one line for a failure."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from seqflow.errors import RecipeError, SeqflowError
from seqflow.files import FULL

from . import console, team
from .commands import app

INTERNAL, RESOURCE, INTERRUPTED, READER_GONE = 1, 5, 130, 141


def run(words: list[str]) -> int:
    """Run the command of these words and return the exit code, as `main.run` says."""
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
            team.begin()
            code = int(app(words, prog_name="seqflow", standalone_mode=False) or 0)
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except (console.ReaderGoneError, BrokenPipeError):
        console.forget(sys.stdout)
        return READER_GONE
    except Exception as error:
        if debug:
            traceback.print_exc()
        lines, code = _failure(error)
        if team.speaks(expected=code != INTERNAL or isinstance(error, SeqflowError)):
            for line in lines:
                console.fail(line)
            team.end(lines)
        else:
            team.end(lines, wait=True)
        try:
            sys.stdout.flush()
        except OSError:
            console.forget(sys.stdout)
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
