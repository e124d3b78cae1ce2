"""Batches from worker processes: the same ones, and an error where a worker dies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

from seqflow.data.dataset import Windows
from seqflow.data.open import open_recordings
from seqflow.data.recording import ArrayRecording, Block
from seqflow.data.workers import load
from seqflow.errors import InputError, ResourceError
from seqflow.recipe import AudioData, AugmentConfig

MAIN = os.getpid()


def windows(kind: type[ArrayRecording] = ArrayRecording, **options: Any) -> Windows:
    rng = np.random.default_rng(0)
    recordings = [kind(rng.standard_normal((2, n)), step=0.1, name=f"r{n}") for n in (300, 40, 911)]
    return Windows(recordings, window=50, hop=20, seed=3, **options)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_batches_for_any_number_of_workers(workers: int) -> None:
    config = AugmentConfig(gain_db=(-3.0, 3.0), polarity=True, shift=30)
    options = {"short": "pad", "augment": config, "cache_mb": 1}
    here = list(windows(**options).loader(7, 19, 8))
    before, handler = torch.get_rng_state(), signal.getsignal(signal.SIGCHLD)
    there = list(windows(**options).loader(7, 19, 8, workers))
    assert len(here) == len(there) == 12
    for one, other in zip(here, there, strict=True):
        for key in ("x", "mask", "position", "step"):
            assert torch.equal(getattr(one, key), getattr(other, key))
    # Nor does loading leave a mark on the state of this process.
    assert torch.equal(torch.get_rng_state(), before)
    assert signal.getsignal(signal.SIGCHLD) == handler


def test_the_loader_ends_early() -> None:
    batches = windows().loader(0, 1000, 8, workers=1)
    next(batches)
    batches.close()
    assert list(windows().loader(5, 5, 8, workers=1)) == []


class Faulty(ArrayRecording):
    def read(self, start: int, frames: int) -> Block:
        raise InputError("a/b.wav", "corrupt", "cannot be decoded at sample 5: lost sync")


def test_files_are_read_alike_in_all_processes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    config = AudioData(kind="audio", root=str(tmp_path), window=64, rate=8000.0)
    for name, rate in (("a.wav", 8000), ("b.flac", 11127), ("c.ogg", 16000)):
        sf.write(tmp_path / name, 0.2 * rng.standard_normal(6000), rate)
    recordings = [
        r for name in ("a.wav", "b.flac", "c.ogg") for r in open_recordings(tmp_path / name, config)
    ]
    for recording in recordings:
        recording.read(100, 50)  # leaves files open, whose position the workers must not share
    made = Windows(recordings, window=64, hop=16, seed=2)
    here, there = list(made.loader(0, 12, 16)), list(made.loader(0, 12, 16, workers=2))
    assert all(torch.equal(a.x, b.x) for a, b in zip(here, there, strict=True))
    assert {r.rate for r in recordings} == {8000.0}


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_of_files_come_through_as_they_are(workers: int) -> None:
    with pytest.raises(InputError) as caught:
        list(windows(Faulty).loader(0, 2, 4, workers))
    assert (caught.value.path, caught.value.code) == ("a/b.wav", "corrupt")
    assert str(caught.value) == "a/b.wav: corrupt: cannot be decoded at sample 5: lost sync"


class Deadly(ArrayRecording):
    def read(self, start: int, frames: int) -> Block:
        if os.getpid() != MAIN:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(start, frames)


def test_a_worker_that_dies_is_an_error() -> None:
    with pytest.raises(ResourceError, match=r"train\.workers: a process that loads data died"):
        list(windows(Deadly).loader(0, 4, 4, workers=2))


class Stuck(ArrayRecording):
    def read(self, start: int, frames: int) -> Block:
        if os.getpid() != MAIN:
            time.sleep(60)
        return super().read(start, frames)


def test_a_worker_that_hangs_is_an_error() -> None:
    with pytest.raises(ResourceError, match=r"gave nothing for 0\.5 s"):
        list(windows(Stuck).loader(0, 4, 4, workers=1, timeout=0.5))


class Slow(ArrayRecording):
    def read(self, start: int, frames: int) -> Block:
        if os.getpid() != MAIN:
            time.sleep(0.2)
        return super().read(start, frames)


def test_a_slow_worker_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqflow.data.workers._LOOK", 0.05)
    here = list(windows(Slow).loader(0, 3, 2))
    there = list(windows(Slow).loader(0, 3, 2, workers=1))
    assert all(torch.equal(a.x, b.x) for a, b in zip(here, there, strict=True))


def test_workers_keep_out_of_the_way() -> None:
    """One thread each, Ctrl-C left to the main process, and a process group that its signals do not reach."""
    seen = list(load(_describe, range(1), 1, 30.0))
    group, threads, ignored = seen[0].tolist()
    assert group != os.getpgrp() and threads == 1 and ignored == 1


def _describe(step: int) -> torch.Tensor:
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return torch.tensor([os.getpgrp(), torch.get_num_threads(), int(ignored)])
