"""A command started by torchrun, many times over: one process speaks, and torchrun learns why one failed."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from seqflow.errors import UsageError
from seqflow.launch import launch

from . import console

# Seconds by which processes that were started together may be apart.
_GRACE = 2.0

COMMANDS = ("train", "sample")
"""Commands that share their work."""


def begin() -> None:
    """Hush all processes but the first."""
    own = launch()
    if own is not None and own.rank:
        console.hush()


def check(command: str | None) -> None:
    """Raise UsageError for a command that several processes would do several times."""
    own = launch()
    if own is not None and own.size > 1 and command not in COMMANDS:
        raise UsageError(
            f"{command or 'seqflow'}: is done by one process; start it without torchrun, which is for: "
            + ", ".join(COMMANDS)
        )


def speaks(*, expected: bool) -> bool:
    """Whether this process tells its failure.

    One that is expected is met by all processes, or told to all: the first on each host says it. What is not
    expected is said where it happens.
    """
    try:
        own = launch()
    except UsageError:
        return True
    return own is None or own.local_rank == 0 or not expected


def end(lines: Sequence[str], *, wait: bool = False) -> None:
    """Leave the failure where torchrun looks for it, which then names it in its summary.

    torchrun ends all processes where one has failed: `wait` for the one that speaks to have spoken, and let
    this one come to its own end, with its own exit code.
    """
    try:
        if launch() is None:
            return
    except UsageError:
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if wait:
        time.sleep(_GRACE)
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not path:
        return
    told = "; ".join(map(console.clean, lines))
    more = {"py_callstack": told, "timestamp": str(int(time.time()))}
    with suppress(OSError):
        Path(path).write_text(json.dumps({"message": {"message": told, "extraInfo": more}}), encoding="utf-8")


def vanish(code: int) -> None:
    """End a process that torchrun started, without the destructors of libraries; elsewhere do nothing.

    Those of gloo's threads now and then abort a process that is done (torch 2.11), and torchrun would take
    that for a failure.
    """
    try:
        if launch() is None:
            return
    except UsageError:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
