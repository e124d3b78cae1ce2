"""Processes that die, hang or cannot start: no task is lost, none waits for ever, no process is left."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pool_work
import pytest

from seqflow.errors import ResourceError
from seqflow.jobs.pool import Outcome, run_tasks


def run(tasks: list[Any], workers: int = 2, timeout: float | None = None, fault: str = "") -> list[Outcome]:
    return list(run_tasks(partial(pool_work.start, fault), tasks, workers=workers, timeout=timeout))


@pytest.fixture(autouse=True)
def _nobody_is_left():  # noqa: ANN202
    yield
    assert not multiprocessing.active_children()


def test_every_task_gets_its_answer_from_another_process() -> None:
    found = run(["ä\udcff", "b", "c", "d", "e"])
    assert {o.task: o.answer["twice"] for o in found} == {t: t * 2 for t in ["ä\udcff", "b", "c", "d", "e"]}
    processes = {o.answer["process"] for o in found}
    assert len(processes) <= 2 and os.getpid() not in processes


def test_a_dead_or_hanging_process_costs_its_own_task_only() -> None:
    tasks = ["a", "segfault", "b", "hang", "c", "exit", "d"]
    found = {o.task: o for o in run(tasks, timeout=3.0)}
    assert {t: found[t].status for t in tasks} == {
        **dict.fromkeys("abcd", "done"),
        **{"segfault": "crashed", "exit": "crashed", "hang": "timeout"},
    }
    assert found["segfault"].answer == "the process was ended by SIGSEGV"
    assert found["exit"].answer == "the process ended with code 3"
    assert found["hang"].answer == "took more than 3 seconds"


@pytest.mark.parametrize(
    ("tasks", "fault", "error", "message"),
    [
        (["a"], "exit", ResourceError, "a worker process cannot start: it ended with code 7"),
        (["a"], "refuse", ResourceError, "^no room$"),
        (["full"], "", ResourceError, "^disk full$"),
        (["bug"], "", RuntimeError, "in a worker process: KeyError: 'oops'"),
    ],
)
def test_what_would_meet_every_task_ends_all(
    tasks: list[str], fault: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(tasks, workers=1, fault=fault)


def test_no_tasks() -> None:
    assert run([], workers=1) == []


def test_an_interrupt_leaves_no_process() -> None:
    outcomes = run_tasks(partial(pool_work.start, ""), ["a", "hang", "hang"], workers=2)
    with pytest.raises(KeyboardInterrupt):
        for _ in outcomes:
            raise KeyboardInterrupt
    outcomes.close()


def test_processes_end_quietly_when_their_parent_is_killed() -> None:
    command = [sys.executable, str(Path(__file__).with_name("orphan.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "aa\n"
        process.kill()
        # The pipe comes to its end when the last process that holds it does.
        _, errors = process.communicate(timeout=60)
    assert errors == ""
