"""What is left to be done about answers, in threads, and a bell that rings when some of them are through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

_THREADS = 16
"""At most: they wait for disks."""
_PAUSE = 0.1
_TOGETHER = 8
"""Seconds between beginnings, and things that a thread does in a row: waking it costs more than some do."""


class Finishing(Generic[T]):
    """Things that are being finished in up to `threads` threads; a selector takes it for a file.

    What comes at a slow pace is begun at once, what comes fast a tenth of a second later, with others. Falsy,
    and of length 0, while there is nothing.
    """

    def __init__(self, finish: Callable[[T], T], threads: int) -> None:
        self._finish = finish
        self._threads = ThreadPoolExecutor(min(threads, _THREADS), thread_name_prefix="finish")
        self._held: list[T] = []
        self._next = 0.0
        self._through: SimpleQueue[Future[list[T]]] = SimpleQueue()
        self._count = 0
        self._bell, self._rope = os.pipe()

    def __len__(self) -> int:
        return self._count

    def fileno(self) -> int:
        """What a selector looks at."""
        return self._bell

    def add(self, thing: T) -> None:
        """Finish this too."""
        self._count += 1
        self._held.append(thing)

    def begin(self, *, now: bool) -> float | None:
        """Begin with what is held if it is time, or `now`. Seconds until then; None where nothing is held."""
        if not self._held:
            return None
        moment = time.monotonic()
        if moment < self._next and not now:
            return self._next - moment
        self._next = moment + _PAUSE
        for first in range(0, len(self._held), _TOGETHER):
            some = self._held[first : first + _TOGETHER]
            self._threads.submit(self._all, some).add_done_callback(self._ring)
        self._held = []
        return None

    def taken(self) -> Iterator[T]:
        """Those that are through, once each. Raises what finishing one of them raised."""
        while True:
            try:
                future = self._through.get_nowait()
            except Empty:
                return
            # A ring for each: none is lost, and none is left.
            os.read(self._bell, 1)
            found = future.result()
            self._count -= len(found)
            yield from found

    def close(self) -> None:
        """Wait for those at work, and let go of the others."""
        self._threads.shutdown(cancel_futures=True)
        os.close(self._bell)
        os.close(self._rope)

    def _all(self, things: list[T]) -> list[T]:
        return [self._finish(thing) for thing in things]

    def _ring(self, future: Future[list[T]]) -> None:
        self._through.put(future)
        os.write(self._rope, b".")
