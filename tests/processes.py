"""Several processes of a test that form a group, without torchrun: they find each other by a file."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Raised(NamedTuple):
    """The error that the work of a process ended with."""

    kind: type[Exception]
    text: str


LIMIT = 60.0
"""Seconds that the processes may take."""


def in_processes(
    folder: Path, size: int, work: Callable[..., Any], *arguments: Any, limit: float = LIMIT
) -> list[Any]:
    """What work(ranks, *arguments) gives in each of so many processes: a value, or what it Raised.

    None for one that dies without a word. `limit`: seconds they wait for each other.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["seqflow.training", "torch._dynamo", "torch.distributed"])
    started = []
    for rank in range(size):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(there, folder, rank, size, limit, work, arguments))
        process.start()
        there.close()
        started.append((process, here))
    found = []
    for process, here in started:
        try:
            found.append(here.recv() if here.poll(LIMIT) else TimeoutError("no answer"))
        except EOFError:
            found.append(None)
        process.join(10.0)
        if process.is_alive():
            process.kill()
            process.join()
    return found


def _child(
    told: Connection,
    folder: Path,
    rank: int,
    size: int,
    limit: float,
    work: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    import torch.distributed as dist

    from seqflow.ranks import Group

    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    folder.mkdir(parents=True, exist_ok=True)
    store = dist.FileStore(str(folder / "store"), size)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=timedelta(seconds=limit))
    try:
        answer = work(Group(rank, size), *arguments)
    except Exception as error:
        answer = Raised(type(error), str(error))
        if type(error).__module__ == "builtins":
            traceback.print_exc()
    told.send(answer)
    told.close()
    # As the command does, see `cli.team.vanish`.
    os._exit(0)
