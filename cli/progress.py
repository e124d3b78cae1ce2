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
