"""Work for the processes of test_pool: some of it kills them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from seqflow.errors import ResourceError
from seqflow.jobs.pool_child import Work


def start(fault: str = "", journal: str = "") -> Work:
    """`journal`: a file that gets a line for every task that is begun."""
    if fault == "exit":
        os._exit(7)
    if fault == "refuse":
        raise ResourceError("no room")

    def work(task: Any) -> Any:
        if journal:
            with Path(journal).open("a") as file:
                file.write(f"{task}\n")
        match task.rstrip("0123456789"):
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "hang":
                time.sleep(600)
            case "nap":
                time.sleep(1.0)
            case "doze":
                time.sleep(0.5)
            case "grow":
                kept = bytearray(900_000_000)
                kept[::4096] = b"x" * len(kept[::4096])
                time.sleep(600)
            case "full":
                raise ResourceError("disk full")
            case "bug":
                raise KeyError("oops")
        return {"twice": task * 2, "process": os.getpid()}

    return work
