"""Batches loaded ahead by worker processes. A worker that dies is an error, never a hang."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import InputError, ResourceError, SeqflowError
from .batch import Batch

_LOOK = 2.0
"""Seconds between looks at whether the workers live."""


@dataclass(frozen=True)
class _Failure:
    """An expected error on its way out of a worker; as an exception it would lose its type there."""

    kind: type[SeqflowError]
    arguments: tuple[str, ...]

    @classmethod
    def of(cls, error: SeqflowError) -> _Failure:
        if isinstance(error, InputError):
            return cls(InputError, (error.path, error.code, error.detail))
        return cls(type(error), (str(error),))


class _Steps(Dataset[Batch | _Failure]):
    """Batches by step."""

    def __init__(self, make: Callable[[int], Batch]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Batch | _Failure:
        try:
            return self._make(step)
        except SeqflowError as error:
            return _Failure.of(error)


def load(make: Callable[[int], Batch], steps: Sequence[int], workers: int, timeout: float) -> Iterator[Batch]:
    """make(step) for every step, in order, computed by `workers` processes of one thread each.

    Raises the SeqflowError that `make` raises, and ResourceError where a worker dies or gives nothing for
    `timeout` seconds. Draws nothing from torch's global generator.
    """
    loader: DataLoader[Batch | _Failure] = DataLoader(
        _Steps(make),
        batch_size=None,
        sampler=steps,
        num_workers=workers,
        # A fork notices when this process is killed; what a fork server starts would live on for ever.
        multiprocessing_context="fork" if sys.platform == "linux" else None,
        collate_fn=_unchanged,
        timeout=min(_LOOK, timeout),
        worker_init_fn=_start_worker,
        generator=torch.Generator(),
    )
    iterator = _quietly(loader)
    try:
        for _ in steps:
            item = _next(iterator, timeout)
            if isinstance(item, _Failure):
                raise item.kind(*item.arguments)
            yield item
    finally:
        del iterator


def _next(iterator: Iterator[Batch | _Failure], timeout: float) -> Batch | _Failure:
    """The next item; looks in between whether all workers live. A time-out leaves the iterator as it was."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return next(iterator)
        except (RuntimeError, EOFError, OSError) as error:
            late = str(error).startswith("DataLoader timed out")
            if late and time.monotonic() < deadline:
                continue
            # A batch already announced is fetched from the worker that made it, which may be gone. What was
            # raised in a worker begins with "Caught".
            gone = isinstance(error, EOFError | OSError) and not str(error).startswith("Caught ")
            if late or gone or str(error).startswith("DataLoader worker"):
                what = f"gave nothing for {timeout:g} s" if late else "died, perhaps for want of memory"
                raise ResourceError(
                    f"train.workers: a process that loads data {what}; set fewer workers, or 0"
                ) from error
            raise


def _quietly(loader: DataLoader[Batch | _Failure]) -> Iterator[Batch | _Failure]:
    """Start the workers, and take away torch's handler that would raise a worker's death just anywhere.

    Without it, the death is seen at the next look, where a batch is asked for.
    """
    if not hasattr(signal, "SIGCHLD") or threading.current_thread() is not threading.main_thread():
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return iter(loader)
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _start_worker(_: int) -> None:
    # A group of their own: Ctrl-C and a group's SIGTERM are for the main process, which stops the workers.
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)


def _unchanged(item: Any) -> Any:
    return item
