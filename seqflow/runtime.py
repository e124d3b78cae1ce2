"""The machine underneath: which device, how many threads, which arithmetic, which random numbers."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .errors import UsageError
from .launch import launch

_NO_MEMORY = "can't allocate memory"
# Parameters of glibc's mallopt: bytes at the top of the heap, and of a block, that go back to the system.
_TRIM, _MAP = (-1, 1 << 28), (-3, 1 << 25)


def choose_device(name: str = "auto") -> torch.device:
    """The device of this name: auto (the GPU where there is one), cpu, cuda or cuda:N.

    Of several processes on a host, as torchrun starts them, each has the GPU of its own number. Raises
    UsageError for a device that is not there, or a name of none.
    """
    own = launch()
    if name == "auto" and not torch.cuda.is_available():
        return _CPU
    if name == "cpu":
        return _CPU
    match = re.fullmatch(r"cuda(?::([0-9]{1,4}))?", "cuda" if name == "auto" else name)
    if match is None:
        raise UsageError(f"device: {name!r:.40} is none of auto, cpu, cuda, cuda:0, cuda:1, ...")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise UsageError(f"device: {name} was asked for, but there is no GPU; use --device cpu")
    if own is not None and own.local_size > 1:
        if match[1]:
            raise UsageError(
                f"device: {name}: each of {own.local_size} processes takes a GPU; give cuda or cpu"
            )
        if own.local_size > count:
            raise UsageError(
                f"device: {own.local_size} processes want a GPU each, but there are {count}; start as many "
                "with --nproc-per-node, or give --device cpu"
            )
        return torch.device("cuda", own.local_rank)
    index = int(match[1]) if match[1] else torch.cuda.current_device()
    if index >= count:
        raise UsageError(f"device: {name} was asked for, but the last GPU is cuda:{count - 1}")
    return torch.device("cuda", index)


def set_threads(count: int | None) -> int:
    """Set the CPU threads of torch's operators; None leaves them. Returns the number in use."""
    if count is not None:
        torch.set_num_threads(count)
    return torch.get_num_threads()


def keep_freed_memory() -> None:
    """Have the process keep up to 256 MiB that it has freed, where its C library is glibc.

    A pass of a flow frees and takes the same blocks again and again; each time the system would have to hand
    out, and clear, every page of them anew.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in (_TRIM, _MAP):
            mallopt(parameter, value)


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """`set_threads` within a block; gives the number in use."""
    before = torch.get_num_threads()
    try:
        yield set_threads(count)
    finally:
        torch.set_num_threads(before)


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """A block in which equal work gives equal bits on this device, and the caller's random state is kept.

    On a CPU that takes the same number of threads, no more. On a GPU the deterministic algorithms of torch
    are chosen where there are any (it warns of an operator that has none), and convolutions keep full
    float32: with shorter products the inverse would not meet the forward pass.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    strict = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    on_gpu = device.type == "cuda"
    index = torch.cuda.current_device() if on_gpu and device.index is None else device.index
    with torch.random.fork_rng(devices=[index] if on_gpu else []):
        if not on_gpu:
            yield
            return
        # Read when the process first multiplies matrices on a GPU.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        try:
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = False, True, False
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            yield
        finally:
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = before
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)
            torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the device, or the machine, is used up."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and _NO_MEMORY in str(error)
    )


_CPU = torch.device("cpu")
