"""Work in child processes that may die or hang: each task comes back with an answer or a reason."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import ResourceError

Work = Callable[[Any], Any]
"""Task to answer, both of what JSON has."""
Start = Callable[[], Work]
"""Makes the work, once in every process: a function of a module, or a partial one with plain values."""

_GRACE = 5.0
_LOOK = 0.1
"""Seconds between looks at the memory of processes that have a limit."""


class Outcome(NamedTuple):
    """What became of a task: `done` with an answer, or a reason with a line on it."""

    task: Any
    status: Literal["done", "crashed", "timeout", "out_of_memory"]
    answer: Any


class Limits(NamedTuple):
    """Seconds for a task, and MB (10^6 bytes) resident while at one; None for no limit."""

    timeout: float | None = None
    memory: float | None = None


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
    tasks: Iterable[Any],
    *,
    workers: int,
    timeout: float | None = None,
    memory: float | None = None,
) -> Generator[Outcome, None, None]:
    """Outcomes of all tasks, as they come, from `workers` processes that each have one task at a time.

    Tasks are taken from the iterable no sooner than a process has room for one. A process that dies, takes
    more than `timeout` seconds for a task, or during one has more than `memory` MB (10^6 bytes) resident, is
    replaced; its task is not tried again. When the iteration ends, by whatever cause, no process is left.

    Resident memory is looked at ten times a second: address space, which the kernel could limit at once, says
    little of torch, which maps far more than it uses. What a process takes between two looks goes beyond.

    Raises ResourceError where a process cannot even start, and what `start` or a task raises, with its class,
    where that is an expected failure of `errors`; any other exception comes as RuntimeError.
    """
    source, waiting, more = iter(tasks), deque[Any](), True
    team: list[_Worker] = []
    try:
        while True:
            busy = sum(worker.busy for worker in team)
            while more and len(waiting) < workers - busy:
                try:
                    waiting.append(next(source))
                except StopIteration:
                    more = False
            for worker in team:
                if worker.ready and not worker.busy and waiting:
                    worker.give(waiting.popleft())
                    busy += 1
            if not busy and not waiting:
                return
            while len(team) < min(workers, busy + len(waiting)):
                team.append(_Worker(start))
            for worker in _awake(team, timeout, memory):
                outcome, alive = _hear(worker, timeout, memory)
                if not alive:
                    worker.end()
                    team.remove(worker)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in team:
            worker.end()


def _awake(team: list[_Worker], timeout: float | None, memory: float | None) -> list[_Worker]:
    """Workers that have something to say, died, or are out of time or memory."""
    while True:
        left = None
        if timeout is not None:
            now = time.monotonic()
            left = min((w.since + timeout - now for w in team if w.busy), default=None)
        if memory is not None and any(w.busy for w in team):
            left = _LOOK if left is None else min(left, _LOOK)
        # A dead process closes its end of the pipe, which counts as something to say.
        said = wait([worker.pipe for worker in team], None if left is None else max(0.0, left))
        found = [w for w in team if w.pipe in said or _late(w, timeout) or _large(w, memory)]
        if found:
            return found


def _late(worker: _Worker, timeout: float | None) -> bool:
    return timeout is not None and worker.busy and time.monotonic() - worker.since >= timeout


def _large(worker: _Worker, memory: float | None) -> bool:
    if memory is None or not worker.busy:
        return False
    try:
        pages = int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return False  # it has ended, which its pipe says
    return pages * os.sysconf("SC_PAGE_SIZE") > memory * 1e6


def _hear(worker: _Worker, timeout: float | None, memory: float | None) -> tuple[Outcome | None, bool]:
    """The outcome, where there is one, and whether the worker goes on."""
    try:
        if not worker.pipe.poll():
            if _late(worker, timeout):
                return Outcome(worker.task, "timeout", f"took more than {timeout:g} seconds"), False
            return Outcome(worker.task, "out_of_memory", f"took more than {memory:g} MB"), False
        message = json.loads(worker.pipe.recv_bytes())
    except (EOFError, OSError):
        worker.process.join(_GRACE)
        reason = death(worker.process.exitcode)
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
            raise failure(kind, text)
    raise RuntimeError(f"a worker process sent {message!r}")


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
