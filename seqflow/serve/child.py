"""A child process with one task at a time: what it says comes as JSON, or not at all."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..jobs.pool_child import Work, death, failure

Ready = tuple[Work, Any]
"""Work of a process, and what it has to say about it when it is ready."""
Begin = Callable[[], Ready]
"""Makes the work, in the process: a function of a module, or a partial one with plain values."""

_GRACE = 5.0


class CrashedError(Exception):
    """The process died, or had to be ended. The message says of what, as "was ended by SIGSEGV".

    `began`: it had the task. `killed`: by SIGKILL, which is no decoder's doing.
    """

    def __init__(self, why: str, began: bool, killed: bool) -> None:
        super().__init__(why)
        self.began, self.killed = began, killed


class Child:
    """A process; its methods block, and `kill` makes them return."""

    def __init__(self, begin: Begin, most: int) -> None:
        # Not a fork: threads do not survive one.
        context = mp.get_context("spawn")
        self._most = most
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, begin), daemon=True)
        self._process.start()
        theirs.close()
        self.is_ready = False

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process.is_alive()

    @property
    def sound(self) -> bool:
        """Whether it lives and says nothing that nobody asked for."""
        try:
            return self.running and not self._pipe.poll()
        except (OSError, EOFError):
            return False

    def ready(self) -> Any:
        """What it says when it is ready.

        Raises CrashedError, what `begin` raised where it is an expected failure, or RuntimeError.
        """
        about = self._hear("ready")
        self.is_ready = True
        return about

    def ask(self, task: Any) -> Any:
        """The answer to a task. Raises as `ready` does."""
        # If it has died, its end of the pipe says so next.
        with suppress(OSError):
            self._pipe.send_bytes(json.dumps(task).encode())
        self._hear("took")
        return self._hear("done")

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def end(self) -> None:
        """End the process, and what belongs to it."""
        self._process.kill()
        self._process.join(_GRACE)
        self._pipe.close()

    def _hear(self, kind: str) -> Any:
        why = ""
        try:
            said, answer = json.loads(self._pipe.recv_bytes(self._most))
        except (EOFError, ConnectionError):
            self._process.join(_GRACE)
        except (OSError, ValueError):
            # Too long, or no JSON: a decoder may do anything to a process.
            why = "said what nobody can read"
        else:
            if said != kind:
                raise failure(said, answer)
            return answer
        self._process.kill()
        self._process.join(_GRACE)
        code = self._process.exitcode
        raise CrashedError(why or death(code), kind == "done", not why and code == -signal.SIGKILL)


def _main(pipe: Connection, begin: Begin) -> None:
    """Life of a child."""
    # These may reach all processes of a service; the parent is the one to act on them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The streams are those of the service: what a decoder says is not for them.
    with Path(os.devnull).open("w") as sink:
        for stream in (1, 2):
            os.dup2(sink.fileno(), stream)
    with suppress(EOFError, ConnectionError):
        try:
            work, about = begin()
            _say(pipe, "ready", about)
            while True:
                task = json.loads(pipe.recv_bytes())
                _say(pipe, "took", None)
                _say(pipe, "done", work(task))
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            _say(pipe, type(error).__name__, str(error))


def _say(pipe: Connection, kind: str, what: Any) -> None:
    pipe.send_bytes(json.dumps([kind, what]).encode())
