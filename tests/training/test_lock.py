"""A run folder belongs to one training at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runs import train_small

from seqflow.errors import ResourceError, UsageError
from seqflow.training.lock import lock


def test_a_second_lock_is_refused_and_the_first_let_go(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    with lock(out):
        other = tmp_path / "new" / ".." / "new" / "run"
        match = f"{other}: in use by another training .process {os.getpid()}."
        with pytest.raises(UsageError, match=match), lock(other):
            pass
        with pytest.raises(UsageError, match="in use"):
            train_small(out)
    with lock(out):
        pass
    with pytest.raises(KeyError), lock(out):
        raise KeyError
    with lock(out):
        pass


def test_another_process_is_named_and_its_death_frees_the_folder(tmp_path: Path) -> None:
    """A child that outlives it does not keep the folder."""
    code = f"""
import os, sys, time
from pathlib import Path
from seqflow.training.lock import lock
with lock(Path({str(tmp_path)!r})):
    child = os.fork()
    if child == 0:
        time.sleep(60)
    print(child, flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        with (
            pytest.raises(UsageError, match=f"in use by another training .process {process.pid}."),
            lock(tmp_path),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with lock(tmp_path):
            pass
    finally:
        process.kill()
        os.kill(child, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ResourceError, match="cannot be written"), lock(tmp_path):
        pass
