"""Work in child processes that may die or hang: each task comes back with an answer or a reason."""

from __future__ import annotations

import multiprocessing as mp
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from json import dumps, loads
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Literal, NamedTuple

from ..errors import ResourceError
from .pool_child import Start, death, failure, live
from .pool_finish import Finishing

_GRACE = 5.0
_LOOK = 0.1
"""Seconds between looks at the memory of processes that have a limit."""
_SHORT = 1.0
"""Seconds of a task after which a process gets no further one ahead: another process may be free sooner."""

_BEHIND = 64
"""Answers of a process that wait to be finished before no more tasks are taken."""


class Outcome(NamedTuple):
    """What became of a task: `done` with an answer, or a reason with a line on it."""

    task: Any
    status: Literal["done", "crashed", "timeout", "out_of_memory"]
    answer: Any


Finish = Callable[[Outcome], Outcome]
"""What is left to be done about an outcome that is `done`, in a thread of this process."""


class Limits(NamedTuple):
    """Seconds for a task, and MB (10^6 bytes) resident while at one; None for no limit."""

    timeout: float | None = None
    memory: float | None = None


class _Worker:
    """A process, and its tasks in their order: it is at the first, and has the others ahead of time."""

    def __init__(self, start: Start) -> None:
        # Not a fork: threads of torch do not survive one.
        context = mp.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=live, args=(theirs, start), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.tasks: deque[Any] = deque()
        self.since = 0.0
        self._quick = False

    def room(self, ahead: int) -> int:
        """Tasks that it can take now, those promised to it while it starts too."""
        return 1 + (ahead if self._quick else 0) - len(self.tasks)

    def give(self, task: Any) -> bool:
        """Whether it could be sent; a process that has died says so at the next look."""
        try:
            # Bytes of JSON, not pickles: what a broken decoder might do to a child ends there.
            self.pipe.send_bytes(dumps(task).encode())
        except OSError:
            return False
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        return True

    def over(self) -> Any:
        """The task it was at, which has an end; the next one's time begins."""
        now = time.monotonic()
        self._quick, self.since = now - self.since < _SHORT, now
        return self.tasks.popleft()

    def end(self) -> None:
        self.process.kill()
        self.process.join(_GRACE)
        self.pipe.close()


class Pool:
    """Processes that do tasks; they are kept from one `run` to the next. Use within `contextlib.closing`.

    Args:
        start: makes the work, once in every process.
        workers: processes at most; they are started when there are tasks for them.
        timeout, memory: limits of a task, see `run_tasks`.
        ahead: tasks that a process which was quick with its last one has in its pipe behind the one it is at,
            so that it does not wait for this process.
        finish: done with every answer, in threads beside the tasks to come, before its outcome comes back.
    """

    def __init__(
        self,
        start: Start,
        *,
        workers: int,
        timeout: float | None = None,
        memory: float | None = None,
        ahead: int = 0,
        finish: Finish | None = None,
    ) -> None:
        self._start, self._workers, self._ahead = start, workers, ahead
        self._timeout, self._memory = timeout, memory
        self._team: list[_Worker] = []
        self._waiting: deque[Any] = deque()
        self._selector = DefaultSelector()
        self._finishing = None if finish is None else Finishing[Outcome](finish, workers)
        if self._finishing is not None:
            self._selector.register(self._finishing, EVENT_READ)

    def run(self, tasks: Iterable[Any]) -> Generator[Outcome, None, None]:
        """Outcomes of all tasks, as they come; see `run_tasks`. One run at a time, each to its end."""
        source, more = iter(tasks), True
        while True:
            while more and self._room() > 0:
                try:
                    self._waiting.append(next(source))
                except StopIteration:
                    more = False
            self._deal()
            if not (self._waiting or self._finishing or any(worker.tasks for worker in self._team)):
                return
            for worker in self._awake():
                outcome = self._hear(worker)
                if outcome is not None and outcome.status == "done" and self._finishing is not None:
                    self._finishing.add(outcome)
                elif outcome is not None:
                    yield outcome
            if self._finishing is not None:
                yield from self._finishing.taken()

    def close(self) -> None:
        """End the processes, whatever they are at; what is being finished is finished."""
        for worker in self._team:
            worker.end()
        self._team.clear()
        self._selector.close()
        if self._finishing is not None:
            self._finishing.close()

    def _room(self) -> int:
        """Tasks to take from the source now."""
        if self._finishing is not None and len(self._finishing) > _BEHIND * self._workers:
            return 0  # the disk is behind
        rooms = sum(worker.room(self._ahead) for worker in self._team)
        return self._workers - len(self._team) + rooms - len(self._waiting)

    def _deal(self) -> None:
        """Give waiting tasks to processes, those without any first; start processes for the others."""
        for held in range(1 + self._ahead):
            for worker in self._team:
                free = worker.ready and len(worker.tasks) == held and worker.room(self._ahead) > 0
                if free and self._waiting and worker.give(self._waiting[0]):
                    self._waiting.popleft()
        busy = sum(1 for worker in self._team if worker.tasks)
        while len(self._team) < min(self._workers, busy + len(self._waiting)):
            worker = _Worker(self._start)
            self._team.append(worker)
            self._selector.register(worker.pipe, EVENT_READ, worker)

    def _awake(self) -> list[_Worker]:
        """Workers that have something to say, died, or are out of time or memory; none for a finish."""
        idle = not any(worker.tasks for worker in self._team)
        while True:
            left = self._finishing.begin(now=idle) if self._finishing is not None else None
            if self._timeout is not None:
                now = time.monotonic()
                ends = [w.since + self._timeout - now for w in self._team if w.tasks]
                left = min([*ends, *([] if left is None else [left])], default=None)
            if self._memory is not None and any(w.tasks for w in self._team):
                left = _LOOK if left is None else min(left, _LOOK)
            # A dead process closes its end of the pipe, which counts as something to say.
            said = self._selector.select(None if left is None else max(0.0, left))
            found = [key.data for key, _ in said if key.data is not None]
            found += [w for w in self._team if w not in found and (self._late(w) or self._large(w))]
            if said or found:
                return found

    def _late(self, worker: _Worker) -> bool:
        return (
            self._timeout is not None
            and bool(worker.tasks)
            and time.monotonic() - worker.since >= self._timeout
        )

    def _large(self, worker: _Worker) -> bool:
        if self._memory is None or not worker.tasks:
            return False
        try:
            pages = int(Path(f"/proc/{worker.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return False  # it has ended, which its pipe says
        return pages * os.sysconf("SC_PAGE_SIZE") > self._memory * 1e6

    def _hear(self, worker: _Worker) -> Outcome | None:
        """The outcome of the task that a worker was at, if that is over."""
        try:
            if not worker.pipe.poll():
                if self._late(worker):
                    return self._lost(worker, "timeout", f"took more than {self._timeout:g} seconds")
                return self._lost(worker, "out_of_memory", f"took more than {self._memory:g} MB")
            message = loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            worker.process.join(_GRACE)
            reason = death(worker.process.exitcode)
            if not worker.ready:
                raise ResourceError(
                    f"a worker process cannot start: it {reason}; lower the number of workers"
                ) from None
            # All that it had said has been heard: it had got no further than the first of its tasks.
            return self._lost(worker, "crashed", f"the process {reason}")
        match message:
            case ["ready"]:
                worker.ready = True
                return None
            case ["done", answer]:
                return Outcome(worker.over(), "done", answer)
            case [kind, text]:
                raise failure(kind, text)
        raise RuntimeError(f"a worker process sent {message!r}")

    def _lost(
        self, worker: _Worker, status: Literal["crashed", "timeout", "out_of_memory"], reason: str
    ) -> Outcome | None:
        """The outcome of the task a process was at when it ended, or is ended now; the others go back."""
        self._selector.unregister(worker.pipe)
        self._team.remove(worker)
        worker.end()
        outcome = Outcome(worker.over(), status, reason) if worker.tasks else None
        self._waiting.extendleft(reversed(worker.tasks))
        return outcome


def run_tasks(
    start: Start,
    tasks: Iterable[Any],
    *,
    workers: int,
    timeout: float | None = None,
    memory: float | None = None,
    ahead: int = 0,
    finish: Finish | None = None,
) -> Generator[Outcome, None, None]:
    """Outcomes of all tasks, as they come, from `workers` processes that are each at one task at a time.

    Tasks are taken from the iterable no sooner than a process has room for one, `ahead` of time or not (see
    `Pool`). A process that dies, takes more than `timeout` seconds for a task, or during one has more than
    `memory` MB (10^6 bytes) resident, is replaced; the task it was at is not tried again, those it had ahead
    go to others. When the iteration ends, by whatever cause, no process is left.

    Resident memory is looked at ten times a second: address space, which the kernel could limit at once, says
    little of torch, which maps far more than it uses. What a process takes between two looks goes beyond.

    Raises ResourceError where a process cannot even start, and what `start` or a task raises, with its class,
    where that is an expected failure of `errors`; any other exception comes as RuntimeError. What `finish`
    raises comes as it is.
    """
    pool = Pool(start, workers=workers, timeout=timeout, memory=memory, ahead=ahead, finish=finish)
    with closing(pool):
        yield from pool.run(tasks)
