"""A folder belongs to one run at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

import seqflow.lock
from seqflow.errors import ResourceError, UsageError
from seqflow.lock import lock


def test_a_second_lock_is_refused_and_the_first_let_go(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    with lock(out):
        other = tmp_path / "new" / ".." / "new" / "run"
        match = f"{other}: in use by another run .process {os.getpid()}."
        with pytest.raises(UsageError, match=match), lock(other):
            pass
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
from seqflow.lock import lock
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
            pytest.raises(UsageError, match=f"in use by another run .process {process.pid}."),
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


def test_nothing_stays_of_a_folder_that_nothing_came_to(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    with pytest.raises(KeyError), lock(out):
        assert [path.name for path in out.iterdir()] == [".lock"]
        raise KeyError
    assert not list(tmp_path.iterdir())
    (tmp_path / "there").mkdir()
    with lock(tmp_path / "there"):
        pass
    assert not list((tmp_path / "there").iterdir())
    with lock(out):
        (out / "result").touch()
    assert {path.name for path in out.iterdir()} == {".lock", "result"}


def test_a_lock_file_that_lost_its_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened before another process had cleared it away, locked after."""
    opened = []

    def open_late(path: Path) -> BinaryIO:
        file = original(path)
        if not opened:
            path.unlink()
        opened.append(path)
        return file

    original = seqflow.lock._open
    monkeypatch.setattr(seqflow.lock, "_open", open_late)
    with lock(tmp_path):
        assert len(opened) == 2 and (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ResourceError, match="cannot be written"), lock(tmp_path):
        pass
