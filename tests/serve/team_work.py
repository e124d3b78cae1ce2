"""Work for the children of test_serve_team: some of it ends them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from seqflow.errors import CheckpointError
from seqflow.serve.child import Ready


def begin(fault: str = "") -> Ready:
    if fault == "refuse":
        raise CheckpointError("no model")
    if fault == "exit":
        os._exit(7)

    def work(task: Any) -> Any:
        match task:
            case "segfault" | "kill":
                os.kill(os.getpid(), signal.SIGSEGV if task == "segfault" else signal.SIGKILL)
            case ["once", path] if not Path(path).exists():
                Path(path).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "nap":
                time.sleep(1.5)
            case "long":
                return "x" * 100_000
            case "bug":
                raise KeyError("oops")
            case "spent":
                return {"spent": True, "process": os.getpid()}
        return {"process": os.getpid()}

    return work, "about"
