"""The dask engine has the outcomes and the bytes of the plain one, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pool_work
import pytest
from batch_material import contents, write_model, write_recordings
from dask_cluster import cluster, free_port

from seqflow.errors import CheckpointError, ResourceError, SeqflowError, UsageError
from seqflow.files import sha256
from seqflow.jobs import batch_work, dask_engine
from seqflow.jobs.batch import FileDone, Waiting, run_batch
from seqflow.jobs.dask_engine import _Child, run_on_cluster
from seqflow.jobs.pool import Limits
from seqflow.jobs.pool_child import Start


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("in"), 60)


@pytest.fixture(scope="module")
def whole(model: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    run_batch(model, recordings, out)
    return contents(out)


def test_a_worker_that_is_killed_loses_nothing(
    model: Path, recordings: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    with cluster(2) as running:

        def kill(event: FileDone | Waiting) -> None:
            if isinstance(event, FileDone) and event.done == 10:
                os.kill(running.workers[0].pid, signal.SIGKILL)

        summary = run_batch(
            model, recordings, tmp_path / "out", engine="dask", scheduler=running.address, on_event=kill
        )
        assert running.workers[0].wait(30) == -signal.SIGKILL and running.workers[1].poll() is None
    assert (summary.inputs, summary.exit_code, summary.reused) == (61, 3, 0)
    assert contents(tmp_path / "out") == whole


def test_a_cluster_of_this_host_and_its_poison(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"any file has a digest")
    tasks = [*"abcdefghij", "segfault", "hang", "grow", "exit", *"klm"]
    took: list[str] = []

    def source() -> Iterator[str]:
        for task in tasks:
            took.append(task)
            yield task

    limits = Limits(timeout=4.0, memory=600.0)
    start = partial(pool_work.start, "")
    found = {}
    for outcome in run_on_cluster(start, source(), model=tmp_path / "model", workers=1, limits=limits):
        # One block at work and one in wait.
        assert found or len(took) <= 16 < len(tasks)
        found[outcome.task] = outcome
    assert {task: o.status for task, o in found.items() if o.status != "done"} == {
        **{"segfault": "crashed", "exit": "crashed", "hang": "timeout", "grow": "out_of_memory"}
    }
    assert found["segfault"].answer == "the process was ended by SIGSEGV" and len(found) == len(tasks)
    # One process has the model, until a task takes it down.
    assert len({found[task].answer["process"] for task in "abcdefghij"}) == 1


def test_a_scheduler_that_is_not_there(
    model: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_engine, "_CONNECT", 2.0)
    address = f"tcp://127.0.0.1:{free_port()}"
    begun = time.monotonic()
    with pytest.raises(ResourceError, match=f"--scheduler {address}: no dask scheduler answers") as found:
        run_batch(model, recordings, tmp_path / "out", engine="dask", scheduler=address)
    assert "\n" not in str(found.value) and time.monotonic() - begun < 60.0


def test_a_cluster_without_workers_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"x")
    with cluster(0) as running:

        def run(start: Start) -> None:
            file, address = tmp_path / "model", running.address
            list(run_on_cluster(start, ["a"], model=file, workers=1, scheduler=address, alone=1.0))

        with pytest.raises(ResourceError, match="no worker for 1 seconds"):
            run(partial(batch_work.start_work, "model"))
        # The tests lie where the scheduler cannot import from.
        with pytest.raises(UsageError, match="scheduler and workers need seqflow"):
            run(partial(pool_work.start, ""))


def test_a_scheduler_that_goes_away(model: Path, recordings: Path, tmp_path: Path) -> None:
    with cluster(1) as running:

        def kill(event: FileDone | Waiting) -> None:
            running.scheduler.kill()

        with pytest.raises(ResourceError, match=r"the scheduler is gone .*; what is done is kept"):
            run_batch(
                model, recordings, tmp_path / "out", engine="dask", scheduler=running.address, on_event=kill
            )
    assert list((tmp_path / "out" / "results").iterdir())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({0: "9.9"}, UsageError, r"a worker has seqflow .*, this command 9.9"),
        ({2: "0" * 64}, CheckpointError, "a worker has another file as"),
        ({1: "/nowhere/model"}, UsageError, "must lie on a file system that all workers share"),
    ],
)
def test_workers_that_do_not_fit_are_refused(
    model: Path, change: dict[int, str], error: type[SeqflowError], message: str
) -> None:
    from seqflow import __version__

    order = [__version__, str(model), sha256(model), None, None]
    for place, value in change.items():
        order[place] = value
    with pytest.raises(error, match=message):
        _Child(partial(pool_work.start, ""), None, json.dumps(order))


def test_without_the_extra(
    model: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'seqflow-audio\[dask\]'"):
        run_batch(model, recordings, tmp_path / "out", engine="dask")
