"""A signal to stop is kept until the step is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from ..errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, the first SIGINT or SIGTERM sets `asked`; a second one raises Interrupted at once.

    Does nothing outside the main thread, where Python takes no signals, nor to a signal that is ignored.
    `message` is that of Interrupted.
    """

    def __init__(self, message: str = "stopped at once; --resume goes on from the last checkpoint") -> None:
        self.asked = False
        self._message = message
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                before = signal.getsignal(number)
                # A handler that Python does not know of could not be put back.
                if before is not signal.SIG_IGN and before is not None:
                    self._before[number] = before
                    signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted(self._message)
        self.asked = True
