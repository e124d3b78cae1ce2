"""How far a job is, on stderr: a bar on terminals, a line from time to time elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from . import console

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS_PER_LINE = 10.0
"""Time between lines where there is no terminal."""


class Progress:
    """A bar, or lines, for as long as the block lasts. `quiet`: nothing where there is no terminal.

    `update` takes what is done of how much, and a text on it; `note` prints a line without tearing the bar.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self.what = what
        self.quiet = quiet
        self._bar: tqdm[NoReturn] | None = None
        self._printed = time.monotonic()

    def __enter__(self) -> Progress:
        if console.terminal(sys.stderr):
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self.what,
                total=0,
                file=sys.stderr,
                dynamic_ncols=True,
                leave=False,
                bar_format="{desc} {bar} {n_fmt}/{total_fmt}  {postfix}",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def update(self, done: int, total: int | None = None, text: str = "", *, line: bool = False) -> None:
        """Show that `done` of `total` are done. `line`: where there is no terminal, print a line for sure."""
        if self._bar is not None:
            self._bar.total = total
            self._bar.set_postfix_str(console.clean(text), refresh=False)
            self._bar.update(done - self._bar.n)
            return
        now = time.monotonic()
        if self.quiet or not (line or now - self._printed >= SECONDS_PER_LINE):
            return
        self._printed = now
        of = f"/{total}" if total is not None else ""
        console.note(f"{self.what} {done}{of}  {text}".rstrip())

    def note(self, text: str) -> None:
        """A line on stderr; above the bar where there is one."""
        if self._bar is None:
            console.note(text)
        else:
            self._bar.write(console.clean(text), file=sys.stderr)


class Pace:
    """How much of a batch is done, how fast, and how long the rest will take."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._fresh = self._size = 0
        self._seconds = 0.0

    def add(self, seconds: float, size: int, *, fresh: bool) -> None:
        """Take in a file: seconds of its signal, bytes, and whether there was anything to do about it."""
        self._seconds += seconds
        self._size += size
        if fresh:
            # From the first answer on: until then a model was loaded.
            self._fresh += self._began is not None
            self._began = self._began or time.monotonic()

    def rate(self) -> float | None:
        """Files a second, of those that took work."""
        if self._began is None or not self._fresh:
            return None
        return self._fresh / max(time.monotonic() - self._began, 1e-9)

    def text(self, left: int | None = None) -> str:
        """All of it in a few words; `left` files still to do."""
        words = [f"{self._seconds / 3600.0:.2f} h of signal", f"{self._size / 1e6:,.1f} MB"]
        if rate := self.rate():
            words.append(f"{rate:.1f} files/s")
            if left is not None:
                words.append(f"{console.clock(left / rate)} left")
        return ", ".join(words)
