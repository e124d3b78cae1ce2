"""Bounds of the operating system for a process that reads what strangers send."""

from __future__ import annotations

import resource
from pathlib import Path

from ..data.spool import keep_in_memory


def confine(memory: int) -> None:
    """Let this process take no more than `memory` bytes beyond what it has, and write no files.

    Allocations beyond that fail with MemoryError. Where the system does not tell what the process has, its
    memory is not bounded. Tables are kept in memory from then on.
    """
    keep_in_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    taken = _taken()
    if taken is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (taken + memory, taken + memory))


def _taken() -> int | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmData:")]
    return int(found[0]) * 1024 if found else None
