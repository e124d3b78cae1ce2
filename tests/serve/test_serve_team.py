"""Children that die, hang or lie: whoever asked gets a named refusal, and the next one an answer."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import team_work

from seqflow.errors import CheckpointError
from seqflow.serve.child import CrashedError
from seqflow.serve.refusal import Refusal
from seqflow.serve.team import Team


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    yield
    assert not multiprocessing.active_children()


def with_team(use: Callable[[Team, list[str]], Awaitable[Any]], fault: str = "", **keys: Any) -> Any:
    """What `use` returns, given a team of one child and the list of lines on lost ones."""

    async def run() -> Any:
        lost: list[str] = []
        settings: dict[str, Any] = {"seconds": 20.0, "wait": 20.0, "most": 50_000, **keys}
        team = Team(partial(team_work.begin, fault), 1, on_lost=lost.append, **settings)
        try:
            assert await team.start() == "about"
            return await use(team, lost)
        finally:
            await team.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("task", "status", "code", "line", "lost"),
    [
        (
            "segfault",
            422,
            "crashed",
            "a second one, was ended by SIGSEGV",
            ["a process was ended by SIGSEGV"] * 2,
        ),
        ("kill", 503, "killed", "were killed", ["a process was ended by SIGKILL"] * 2),
        ("long", 422, "crashed", "said what nobody can read", ["a process said what nobody can read"] * 2),
        ("hang", 504, "timeout", "takes more than 2 seconds", ["a process took more than 2 seconds"]),
    ],
)
def test_tasks_that_end_their_child(task: str, status: int, code: str, line: str, lost: list[str]) -> None:
    async def use(team: Team, told: list[str]) -> None:
        with pytest.raises(Refusal) as caught:
            await team.ask(task)
        assert (caught.value.status, caught.value.code) == (status, code) and line in caught.value.detail
        assert "process" in await team.ask("well")
        assert told == lost and team.lost == len(lost) and team.alive == 1 and not team.waiting

    with_team(use, seconds=2.0)


def test_a_task_whose_child_is_killed_once_is_answered(tmp_path: Path) -> None:
    async def use(team: Team, told: list[str]) -> None:
        assert "process" in await team.ask(["once", str(tmp_path / "mark")])
        assert told == ["a process was ended by SIGKILL"]

    with_team(use)


def test_a_child_that_is_spent_is_replaced() -> None:
    async def use(team: Team, told: list[str]) -> None:
        first, second = await team.ask("spent"), await team.ask("well")
        assert first["process"] != second["process"] and len(told) == 1

    with_team(use)


def test_a_fault_of_the_work_is_no_refusal() -> None:
    async def use(team: Team, told: list[str]) -> None:
        with pytest.raises(RuntimeError, match="KeyError: 'oops'"):
            await team.ask("bug")
        assert "process" in await team.ask("well")

    with_team(use)


def test_nobody_waits_for_ever_and_what_nobody_waits_for_is_done() -> None:
    async def use(team: Team, told: list[str]) -> None:
        first = asyncio.ensure_future(team.ask("nap"))
        await asyncio.sleep(0.2)
        first.cancel()
        with pytest.raises(Refusal) as caught:
            await team.ask("well")
        assert (caught.value.status, caught.value.code, caught.value.retry) == (503, "busy", 1)
        await asyncio.sleep(2.0)
        assert "process" in await team.ask("well")
        assert told == []

    with_team(use, wait=0.5)


def test_the_end_of_a_team_ends_its_tasks() -> None:
    async def use(team: Team, told: list[str]) -> None:
        task = asyncio.ensure_future(team.ask("hang"))
        await asyncio.sleep(0.2)
        await team.close()
        with pytest.raises(Refusal, match="stopped"):
            await task

    with_team(use)


@pytest.mark.parametrize(
    ("fault", "error", "line"),
    [("refuse", CheckpointError, "^no model$"), ("exit", CrashedError, "ended with code 7")],
)
def test_children_that_cannot_start(fault: str, error: type[Exception], line: str) -> None:
    async def never(team: Team, told: list[str]) -> None:
        pytest.fail("it started")

    with pytest.raises(error, match=line):
        with_team(never, fault)
