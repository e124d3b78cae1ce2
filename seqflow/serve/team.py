"""Children for whoever asks: tasks wait in line, children that die or hang are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ..errors import SeqflowError
from .child import Begin, Child, CrashedError
from .refusal import Refusal, busy

_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_TRIES = 8


class Team:
    """So many child processes, each with one task at a time.

    Args:
        begin: makes the work in a child.
        size: children.
        seconds: for a task; a child that takes longer is ended.
        wait: seconds that a task waits for a child.
        most: bytes of an answer.
        on_lost: told in a line of every child that died or was ended.
    """

    def __init__(
        self,
        begin: Begin,
        size: int,
        *,
        seconds: float,
        wait: float,
        most: int,
        on_lost: Callable[[str], None],
    ) -> None:
        self._begin, self._size, self._seconds, self._wait, self._most = begin, size, seconds, wait, most
        self._on_lost = on_lost
        self._free: asyncio.Queue[Child] = asyncio.Queue()
        self._all: set[Child] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        # One thread waits for each child, and one for each that takes its place.
        self._threads = ThreadPoolExecutor(2 * size + 2)
        self._closing = asyncio.Event()
        self.waiting = 0
        self.lost = 0

    async def start(self) -> Any:
        """Start all children; what one says when it is ready.

        Raises what it raised where that is an expected failure, and CrashedError where it died.
        """
        found = await asyncio.gather(*(self._spawn(self._add()) for _ in range(self._size)))
        return found[0]

    @property
    def alive(self) -> int:
        """Children that are ready or at work."""
        return sum(child.is_ready and child.running for child in self._all)

    async def ask(self, task: Any) -> Any:
        """The answer to a task. One whose child dies is tried once more, with another.

        Raises Refusal: 503 `busy` where no child is free in time, 504 `timeout`, 422 `crashed` where two
        children died of it, 503 `killed` where they were killed from outside, 503 `stopped` where the team is
        closed; and what the work raises.
        """
        died = 0
        for _ in range(_TRIES):
            child = await self._take()
            # What is begun is brought to its end, also where nobody waits for it any longer.
            try:
                return await asyncio.shield(self._spawn(self._use(child, task)))
            except CrashedError as error:
                if self._closing.is_set():
                    raise Refusal(503, "stopped", "the service ends", retry=5) from None
                # One that died before it had the task did not die of it.
                died += error.began
                if died < 2:
                    continue
                if error.killed:
                    break
                why = f"cannot be scored: its process, and a second one, {error}"
                raise Refusal(422, "crashed", why) from None
        raise Refusal(503, "killed", "processes were killed while they worked on it", retry=5)

    async def close(self) -> None:
        """End all children; tasks that are under way fail."""
        self._closing.set()
        for child in self._all:
            child.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in self._all:
            child.end()
        self._all.clear()
        self._threads.shutdown()

    async def _take(self) -> Child:
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait):
                while True:
                    child = await self._free.get()
                    if child.sound:
                        return child
                    self._replace(child, "a process died while it had nothing to do")
        except TimeoutError:
            raise busy(f"no process was free within {self._wait:g} seconds; try again later") from None
        finally:
            self.waiting -= 1

    async def _use(self, child: Child, task: Any) -> Any:
        answer = self._in_thread(child.ask, task)
        try:
            async with asyncio.timeout(self._seconds):
                found = await asyncio.shield(answer)
        except TimeoutError:
            child.kill()
            await asyncio.gather(answer, return_exceptions=True)
            self._replace(child, f"a process took more than {self._seconds:g} seconds")
            raise Refusal(
                504, "timeout", f"takes more than {self._seconds:g} seconds to score; cut it"
            ) from None
        except BaseException as error:
            child.kill()
            self._replace(child, f"a process {error}" if isinstance(error, CrashedError) else repr(error))
            raise
        if isinstance(found, dict) and found.get("spent"):
            self._replace(child, "a process ran out of its memory")
        else:
            self._free.put_nowait(child)
        return found

    def _replace(self, child: Child, why: str) -> None:
        if self._closing.is_set():
            return
        self.lost += 1
        self._on_lost(why)
        self._spawn(self._succeed(child))

    async def _succeed(self, child: Child) -> None:
        """End a child and put another in its place, however often that has to be tried."""
        self._all.discard(child)
        await self._in_thread(child.end)
        pause = _PAUSE
        while not self._closing.is_set():
            try:
                await self._add()
                return
            except (CrashedError, SeqflowError, RuntimeError, OSError) as error:
                self._on_lost(f"a process cannot start: {error}")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            pause = min(_LONGEST_PAUSE, 2.0 * pause)

    async def _add(self) -> Any:
        child = await self._in_thread(Child, self._begin, self._most)
        if self._closing.is_set():
            child.end()
            return None
        self._all.add(child)
        try:
            about = await self._in_thread(child.ready)
        except BaseException:
            self._all.discard(child)
            child.end()
            raise
        self._free.put_nowait(child)
        return about

    def _spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    def _in_thread(self, call: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
