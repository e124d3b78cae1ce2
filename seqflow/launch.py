"""Which of several processes this one is, as torchrun tells it in the environment."""

from __future__ import annotations

import os
from typing import NamedTuple

from .errors import UsageError

_KEYS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_PLACE = ("MASTER_ADDR", "MASTER_PORT")


class Launch(NamedTuple):
    """Number of this process and of all of them, over all hosts and on this one."""

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def one_host(self) -> bool:
        """Whether all processes are on one host."""
        return self.size == self.local_size


def launch() -> Launch | None:
    """What torchrun says of this process; None where it was started by itself.

    Raises UsageError for numbers that make no sense.
    """
    if not all(key in os.environ for key in (*_KEYS, *_PLACE)):
        return None
    texts = [os.environ[key] for key in _KEYS]
    if all(text.isascii() and text.isdigit() for text in texts):
        found = Launch(*map(int, texts))
        if found.rank < found.size and found.local_rank < found.local_size <= found.size:
            return found
    said = ", ".join(f"{key}={text:.20}" for key, text in zip(_KEYS, texts, strict=True))
    raise UsageError(f"the environment says {said}, which torchrun never does; unset them, or use torchrun")
