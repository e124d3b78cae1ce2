"""Whether there is room for what is asked for, before the work on it begins."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ResourceError


def check_disk(out: Path, n: int, size: int, what: str) -> None:
    """Raise ResourceError where n files of `size` bytes do not fit the disk of the folder `out`."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    try:
        disk = os.statvfs(there)
    except OSError:
        return  # who writes will say why
    block = disk.f_frsize or 1
    needed, free = n * -(-size // block) * block, disk.f_bavail * block
    if needed > free:
        raise ResourceError(
            f"{out}: {n} {what} take about {_size(needed)}, the disk has {_size(free)} free; ask for fewer "
            "or shorter ones, or choose another folder"
        )


def check_memory(what: str, size: int) -> None:
    """Raise ResourceError where so many bytes are more than this machine has."""
    total = memory()
    if size > total:
        raise ResourceError(
            f"{what} take at least {_size(size)} of memory, this machine has {_size(total)}; ask for fewer "
            "or shorter ones"
        )


def memory() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _size(size: float) -> str:
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        del units[0]
    return f"{size:.3g} {units[0]}" if size < 1000 else f"{size:.0f} {units[0]}"
