"""Silence on the error output while the MP3 decoder works: it writes there, and has no switch against it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ERROR_OUTPUT = 2
# Two threads that redirect at once would restore each other's redirection.
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@contextmanager
def quiet(really: bool = True) -> Iterator[None]:
    """Drop what C libraries write to the error output of this process; with `really` false, do nothing."""
    if not really:
        yield
        return
    with _lock:
        try:
            kept = os.dup(_ERROR_OUTPUT)
        except OSError:  # closed, as in a daemon: there is nothing to drop
            kept = None
        if kept is None:
            yield
            return
        try:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, _ERROR_OUTPUT)
            os.close(sink)
            yield
        finally:
            os.dup2(kept, _ERROR_OUTPUT)
            os.close(kept)
