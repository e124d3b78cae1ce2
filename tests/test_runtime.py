"""Devices, threads and random numbers."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
import torch

from seqflow.errors import UsageError
from seqflow.runtime import choose_device, out_of_memory, repeatable, set_threads, threads


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_kept() -> None:
    code = """
import resource, torch
from seqflow.runtime import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [torch.zeros(1 << 20) for _ in range(8)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
plain = faults()
keep_freed_memory()
faults()
print(plain, faults())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plain, kept = map(int, done.stdout.split())
    # Twenty times 32 MiB, in pages of 4 KiB: 160,000 at most.
    assert plain > 1000 and kept < plain / 10


def test_devices_by_name() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(
    "name", ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", "cpu:0", "mps", "cuda:99999999"]
)
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="device"):
        choose_device(name)


def test_an_absent_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU; use --device cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match="the last GPU is cuda:1"):
        choose_device("cuda:2")
    assert choose_device("cuda:1") == torch.device("cuda", 1)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with threads(1) as count:
        assert count == torch.get_num_threads() == 1
    with threads(None) as count:
        assert count == before
    assert set_threads(before) == before


def test_a_repeatable_block_leaves_the_random_state_as_it_was() -> None:
    before = torch.get_rng_state()
    with repeatable(torch.device("cpu")):
        torch.rand(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_errors_are_told_from_others() -> None:
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 58)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("shapes do not fit"))


@pytest.mark.cuda
def test_a_gpu_is_set_to_repeat_itself_and_back() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32
    with repeatable(choose_device("cuda")):
        assert torch.are_deterministic_algorithms_enabled()
        assert not cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before
