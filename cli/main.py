"""The `seqflow` command. Loads nothing by itself: what takes time is loaded where an interrupt is met."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 1 a fault of this program, 2 usage or recipe, 3 some inputs failed, 4 all failed, 5 no disk or
    memory, 130 interrupted, 141 the reader of the output went away. A failure is one line on stderr;
    `--debug` anywhere before `--` adds the traceback.
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        from . import outcome

        return outcome.run(words)
    except KeyboardInterrupt:
        # Before the command began, or behind its end.
        if sys.stderr is not None:
            sys.stderr.write("seqflow: interrupted\n")
        return 130
