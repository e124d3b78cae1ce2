"""Processes that die, hang or cannot start: no task is lost, none waits for ever, no process is left."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pool_work
import pytest

from seqflow.errors import ResourceError
from seqflow.jobs.pool import Outcome, Pool, run_tasks


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


def begun(journal: Path) -> list[str]:
    return journal.read_text().split() if journal.exists() else []


def test_a_crash_takes_none_of_the_tasks_that_were_given_ahead(tmp_path: Path) -> None:
    tasks = ["a", "b", "c", "segfault", "d", "e", "exit", "f", "g"]
    took: list[str] = []

    def source() -> Iterator[str]:
        for task in tasks:
            took.append(task)
            yield task

    start = partial(pool_work.start, "", str(tmp_path / "journal"))
    found: list[Outcome] = []
    lead = []
    for outcome in run_tasks(start, source(), workers=1, ahead=2):
        found.append(outcome)
        lead.append(len(took) - len(found))
    statuses = {o.task: o.status for o in found}
    assert {task: s for task, s in statuses.items() if s != "done"} == {
        "segfault": "crashed",
        "exit": "crashed",
    }
    # One at work and two ahead of it; each was begun once, in order.
    assert max(lead) == 2 and len(found) == len(tasks) and begun(tmp_path / "journal") == tasks


def test_a_limit_counts_only_the_task_that_is_at_work(tmp_path: Path) -> None:
    # In the pipe they wait for longer than the limit of each.
    tasks = ["a", *(f"doze{i}" for i in range(6)), "hang", "b", "c"]
    start = partial(pool_work.start, "", str(tmp_path / "journal"))
    found = list(run_tasks(start, tasks, workers=1, timeout=2.0, ahead=8))
    assert [o.task for o in found if o.status != "done"] == ["hang"]
    assert found[7].status == "timeout" and begun(tmp_path / "journal") == tasks


def test_behind_what_takes_long_nothing_waits() -> None:
    took: list[str] = []

    def source() -> Iterator[str]:
        for task in ["nap", "nap1", "a", "b", "c"]:
            took.append(task)
            yield task

    found = run_tasks(partial(pool_work.start, ""), source(), workers=1, ahead=2)
    assert [len(took) for _ in found] == [1, 2, 3, 5, 5]


def test_answers_are_finished_beside_the_next_task(tmp_path: Path) -> None:
    journal, threads = tmp_path / "journal", set()

    def finish(outcome: Outcome) -> Outcome:
        threads.add(threading.get_ident())
        if outcome.task == "a":
            for _ in range(6000):
                if "b" in begun(journal):
                    break
                time.sleep(0.01)
        return outcome._replace(answer=[outcome.task, "b" in begun(journal)])

    start = partial(pool_work.start, "", str(journal))
    found = {o.task: o for o in run_tasks(start, ["a", "b", "segfault", "c"], workers=1, finish=finish)}
    assert {o.status for o in found.values()} == {"done", "crashed"}
    assert found["segfault"].answer == "the process was ended by SIGSEGV"
    assert [found[task].answer for task in "abc"] == [["a", True], ["b", True], ["c", True]]
    assert threads and threading.get_ident() not in threads


def test_what_cannot_be_finished_ends_all() -> None:
    def finish(outcome: Outcome) -> Outcome:
        raise ResourceError("disk full")

    with pytest.raises(ResourceError, match=r"^disk full$"):
        list(run_tasks(partial(pool_work.start, ""), ["a", "b"], workers=1, finish=finish))


def test_a_pool_keeps_its_processes_between_runs() -> None:
    with closing(Pool(partial(pool_work.start, ""), workers=1, ahead=1)) as pool:
        first = list(pool.run(["a", "b"]))
        assert list(pool.run([])) == []
        second = list(pool.run(["c"]))
    assert len({o.answer["process"] for o in first + second}) == 1


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
