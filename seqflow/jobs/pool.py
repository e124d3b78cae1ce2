"""Work in child processes that may die or hang: each task comes back with an answer or a reason."""

from __future__ import annotations

import json
import multiprocessing as mp
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Literal, NamedTuple

from ..errors import ResourceError

Work = Callable[[Any], Any]
"""Task to answer, both of what JSON has."""
Start = Callable[[], Work]
"""Makes the work, once in every process: a function of a module, or a partial one with plain values."""

_GRACE = 5.0


class Outcome(NamedTuple):
    """What became of a task: `done` with an answer, `crashed` or `timeout` with a line on it."""

    task: Any
    status: Literal["done", "crashed", "timeout"]
    answer: Any


class _Worker:
    """A process and the task it is at."""

    def __init__(self, start: Start) -> None:
        # Not a fork: threads of torch do not survive one.
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_main, args=(theirs, start), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.busy = False
        self.task: Any = None
        self.since = 0.0

    def give(self, task: Any) -> None:
        self.task, self.busy, self.since = task, True, time.monotonic()
        # If it has died, its end of the pipe says so at the next look.
        with suppress(OSError):
            # Bytes of JSON, not pickles: what a broken decoder might do to a child ends there.
            self.pipe.send_bytes(json.dumps(task).encode())

    def end(self) -> None:
        self.process.kill()
        self.process.join(_GRACE)
        self.pipe.close()


def run_tasks(
    start: Start,
    tasks: Sequence[Any],
    *,
    workers: int,
    timeout: float | None = None,
) -> Generator[Outcome, None, None]:
    """Outcomes of all tasks, as they come, from `workers` processes that each have one task at a time.

    A process that dies, or takes more than `timeout` seconds for a task, is replaced; its task is not tried
    again. When the iteration ends, by whatever cause, no process is left. Raises ResourceError where a
    process cannot even start, and what `start` or a task raises, with its class, where that is an expected
    failure of `errors`; any other exception comes as RuntimeError.
    """
    given = 0
    team: list[_Worker] = []
    try:
        while True:
            for worker in team:
                if worker.ready and not worker.busy and given < len(tasks):
                    worker.give(tasks[given])
                    given += 1
            busy = sum(worker.busy for worker in team)
            if given == len(tasks) and not busy:
                return
            while len(team) < min(workers, busy + len(tasks) - given):
                team.append(_Worker(start))
            for worker in _awake(team, timeout):
                outcome, alive = _hear(worker, timeout)
                if not alive:
                    worker.end()
                    team.remove(worker)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in team:
            worker.end()


def _awake(team: list[_Worker], timeout: float | None) -> list[_Worker]:
    """Workers that have something to say, died, or are out of time."""
    left = None
    if timeout is not None:
        now = time.monotonic()
        left = min((w.since + timeout - now for w in team if w.busy), default=None)
    # A dead process closes its end of the pipe, which counts as something to say.
    said = wait([worker.pipe for worker in team], None if left is None else max(0.0, left))
    late = time.monotonic() - (timeout if timeout is not None else float("inf"))
    return [w for w in team if w.pipe in said or (w.busy and w.since <= late)]


def _hear(worker: _Worker, timeout: float | None) -> tuple[Outcome | None, bool]:
    """The outcome, where there is one, and whether the worker goes on."""
    try:
        if not worker.pipe.poll():
            return Outcome(worker.task, "timeout", f"took more than {timeout:g} seconds"), False
        message = json.loads(worker.pipe.recv_bytes())
    except (EOFError, OSError):
        worker.process.join(_GRACE)
        reason = _death(worker.process.exitcode)
        if not worker.ready:
            raise ResourceError(
                f"a worker process cannot start: it {reason}; lower the number of workers"
            ) from None
        return (Outcome(worker.task, "crashed", f"the process {reason}") if worker.busy else None), False
    match message:
        case ["ready"]:
            worker.ready = True
            return None, True
        case ["done", answer]:
            worker.busy = False
            return Outcome(worker.task, "done", answer), True
        case [kind, text]:
            raise _failure(kind, text)
    raise RuntimeError(f"a worker process sent {message!r}")


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _failure(kind: str, text: str) -> Exception:
    from .. import errors

    found = getattr(errors, kind, None)
    simple = (errors.UsageError, errors.CheckpointError, errors.ResourceError)
    return found(text) if found in simple else RuntimeError(f"in a worker process: {kind}: {text}")


def _main(pipe: Connection, start: Start) -> None:
    """Life of a worker process."""
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


def _say(pipe: Connection, message: list[Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())
