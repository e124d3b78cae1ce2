"""Life of a process of a pool: tasks in, answers out, as JSON."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

Work = Callable[[Any], Any]
"""Task to answer, both of what JSON has."""
Start = Callable[[], Work]
"""Makes the work, once in every process: a function of a module, or a partial one with plain values."""


def live(pipe: Connection, start: Start) -> None:
    """Say that the work is ready, then answer tasks in their order until the pipe ends."""
    # An interrupt from the terminal reaches all processes; the parent is the one to act on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent may go at any time; there is nobody to tell then.
    with suppress(EOFError, ConnectionError):
        try:
            work = start()
            _say(pipe, ["ready"])
            while True:
                _say(pipe, ["done", work(json.loads(pipe.recv_bytes()))])
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            _say(pipe, [type(error).__name__, str(error)])


def death(code: int | None) -> str:
    """How a process ended, by its exit code."""
    if code is None or code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def failure(kind: str, text: str) -> Exception:
    """What a process raised, by class and message; RuntimeError for what is no expected failure."""
    from .. import errors

    found = getattr(errors, kind, None)
    simple = (errors.UsageError, errors.CheckpointError, errors.ResourceError)
    return found(text) if found in simple else RuntimeError(f"in a worker process: {kind}: {text}")


def _say(pipe: Connection, message: list[Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())
