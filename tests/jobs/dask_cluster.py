"""A dask cluster of separate processes on the loopback address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

_ALONE = ["--no-dashboard", "--host", "127.0.0.1"]


class Cluster(NamedTuple):
    address: str
    workers: list[subprocess.Popen[bytes]]
    scheduler: subprocess.Popen[bytes]


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """A scheduler and so many workers, without nannies: one that is killed stays dead."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    env = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3", "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": env}
    dask = [sys.executable, "-m", "dask"]
    started = [subprocess.Popen([*dask, "scheduler", *_ALONE, "--port", str(port)], **quiet)]  # type: ignore[call-overload]
    try:
        words = [*dask, "worker", address, *_ALONE, "--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
        started += [subprocess.Popen(words, **quiet) for _ in range(workers)]  # type: ignore[call-overload]
        _until_up(port, started[0])
        yield Cluster(address, started[1:], started[0])
    finally:
        for process in reversed(started):
            process.kill()
            process.wait(30)


def _until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None
        with closing(socket.socket()) as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("no scheduler in a minute")
