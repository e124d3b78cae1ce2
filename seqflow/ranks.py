"""Several processes at one job, as torchrun starts them: who does what, and what they tell each other.

Small things (figures, texts, errors) go between the CPUs (gloo). So do gradients, or, where the processes
have a GPU each, between these (nccl). Nothing that is received is unpickled.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from . import errors
from .errors import InputError, Interrupted, RecipeError, ResourceError, SeqflowError
from .launch import Launch, launch
from .runtime import out_of_memory

LIMIT = timedelta(minutes=15)
"""How long a process waits for the others. One that dies is noticed at once; this is for those that hang."""
GPU_LIMIT = timedelta(minutes=5)
"""The same between GPUs, which have heard of each other just before."""


class LostProcessError(ResourceError):
    """Another process of the job is gone, or gave nothing for too long."""


class Ranks:
    """The processes of a job, seen from one of them: this class itself is a process alone.

    Whatever is called here, all processes have to call, in the same order.
    """

    rank = 0
    size = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """This process's part of 0 .. count - 1: consecutive, and as large as the others' but for one."""
        return range(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that ends alike in all processes: an error in one is raised in all, the first one's first.

        An Interrupted is raised where it is, at once.
        """
        yield

    def gather(self, values: Sequence[float]) -> list[list[float]]:
        """The numbers of every process, in the order of their ranks: float64, hence counts up to 2^53."""
        return [[float(value) for value in values]]

    def gather_bytes(self, blob: bytes) -> list[bytes]:
        """The bytes of every process, in the order of their ranks."""
        return [blob]

    def broadcast(self, blob: bytes) -> bytes:
        """The bytes of the first process; what the others give is not looked at."""
        return blob

    def add(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes, the same to the bit in all of them."""

    def leave(self) -> None:
        """From here on every process goes its own way."""


ALONE = Ranks()


class Group(Ranks):
    """Processes that have found each other.

    A process that is gone, or gives nothing for LIMIT, is a LostProcessError in all others.
    """

    def __init__(self, rank: int, size: int, gpus: dist.ProcessGroup | None = None) -> None:
        self.rank = rank
        self.size = size
        self._gpus = gpus
        self._lost = self._left = False

    @contextmanager
    def together(self) -> Iterator[None]:  # noqa: D102
        error: Exception | None = None
        try:
            yield
        except (LostProcessError, Interrupted):
            raise
        except Exception as caught:
            error = caught
        for text in self.gather_bytes(b"" if error is None else _packed(error, self.rank)):
            if text:
                raise _unpacked(text) from error

    def gather(self, values: Sequence[float]) -> list[list[float]]:  # noqa: D102
        own = torch.tensor(values, dtype=torch.float64)
        found = [torch.empty_like(own) for _ in range(self.size)]
        with self._waiting():
            dist.all_gather(found, own)
        return [one.tolist() for one in found]

    def gather_bytes(self, blob: bytes) -> list[bytes]:  # noqa: D102
        sizes = [int(row[0]) for row in self.gather([len(blob)])]
        longest = max(sizes)
        if not longest:
            return [b""] * self.size
        own = torch.zeros(longest, dtype=torch.uint8)
        own[: len(blob)] = _tensor(blob)
        found = [torch.empty_like(own) for _ in sizes]
        with self._waiting():
            dist.all_gather(found, own)
        return [one[:size].numpy().tobytes() for one, size in zip(found, sizes, strict=True)]

    def broadcast(self, blob: bytes) -> bytes:  # noqa: D102
        size = int(self.gather([len(blob)])[0][0])
        held = _tensor(blob) if self.first else torch.empty(size, dtype=torch.uint8)
        if size:
            with self._waiting():
                dist.broadcast(held, 0)
        return blob if self.first else held.numpy().tobytes()

    def add(self, tensor: Tensor) -> None:  # noqa: D102
        with self._waiting():
            dist.all_reduce(tensor, group=self._gpus)
            if tensor.is_cuda:
                # A GPU's fault shows here, not at some later operator.
                torch.cuda.synchronize(tensor.device)

    def leave(self) -> None:  # noqa: D102
        # With a process lost, a GPU's part of the group could be waited for in vain.
        if not self._left and not (self._lost and self._gpus):
            dist.destroy_process_group()
        self._left = True

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            self._lost = True
            raise LostProcessError(
                f"process {self.rank} of {self.size}: another process of this job died, or gave nothing for "
                f"{LIMIT.total_seconds() / 60:g} minutes; look at what it said; a training goes on from its "
                "last checkpoint with --resume"
            ) from error


@contextmanager
def join(device: torch.device) -> Iterator[Ranks]:
    """The processes that torchrun started with this one, for the time of a block; ALONE without torchrun.

    `device` is this process's own. Raises LostProcessError where the others do not come within LIMIT.
    """
    own = launch()
    if own is None:
        yield ALONE
        return
    if own.one_host:
        _stay_here()
    on_gpu = device.type == "cuda"
    try:
        dist.init_process_group("gloo", timeout=LIMIT)
        if on_gpu:
            torch.cuda.set_device(device)
        gpus = dist.new_group(backend="nccl", timeout=GPU_LIMIT) if on_gpu else None
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LostProcessError(
            f"process {own.rank} of {own.size}: the processes did not find each other: {reason}"
        ) from error
    group = Group(own.rank, own.size, gpus)
    try:
        yield group
    finally:
        group.leave()


def _stay_here() -> None:
    """Processes of one host need no name of it that can be looked up, nor be reached from elsewhere."""
    if any(name == "lo" for _, name in socket.if_nameindex()):
        for key in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(key, "lo")


def _tensor(blob: bytes) -> Tensor:
    return torch.frombuffer(bytearray(blob), dtype=torch.uint8) if blob else torch.empty(0, dtype=torch.uint8)


def _packed(error: Exception, rank: int) -> bytes:
    """An error as JSON; one that is not expected as a line of the process that it is from."""
    kind, arguments = type(error).__name__, [str(error)]
    if isinstance(error, InputError):
        arguments = [error.path, error.code, error.detail]
    elif isinstance(error, RecipeError):
        arguments = list(error.problems)
    elif out_of_memory(error):
        kind, arguments = (
            "ResourceError",
            [f"process {rank}: out of memory; make the model smaller, or lower data.window"],
        )
    elif isinstance(error, torch.AcceleratorError):
        reason = str(error).splitlines()[0]
        kind, arguments = (
            "ResourceError",
            [f"process {rank}: the GPU failed: {reason}; --resume goes on from the last checkpoint"],
        )
    elif not isinstance(error, SeqflowError):
        reason = " ".join(str(error).split())
        kind, arguments = (
            "SeqflowError",
            [f"process {rank}: internal error: {kind}: {reason}; the same with --debug shows where"],
        )
    return json.dumps([kind, arguments]).encode()


def _unpacked(text: bytes) -> SeqflowError:
    kind, arguments = json.loads(text)
    made: Any = getattr(errors, kind, SeqflowError)
    if not (isinstance(made, type) and issubclass(made, SeqflowError)):
        made = SeqflowError
    if made is RecipeError:
        return RecipeError(arguments)
    found: SeqflowError = made(*arguments)
    return found


__all__ = ["ALONE", "GPU_LIMIT", "LIMIT", "Group", "Launch", "LostProcessError", "Ranks", "join"]
