"""Shares of the work, and what processes tell each other."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from processes import in_processes

from seqflow.errors import InputError, Interrupted, RecipeError, ResourceError, SeqflowError, UsageError
from seqflow.launch import Launch, launch
from seqflow.ranks import ALONE, Group, LostProcessError, Ranks, join
from seqflow.runtime import choose_device
from seqflow.training.synchronize import check_equal, check_same_data, from_first


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_shares_cover_everything_once_and_are_even(count: int, size: int) -> None:
    shares = [Group(rank, size).share(count) for rank in range(size)]
    assert [index for share in shares for index in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert ALONE.share(count) == range(count)


ERRORS: list[Exception] = [
    UsageError("a: b"),
    InputError("x.wav", "silent", "no sound"),
    RecipeError(["a", "b"]),
    ValueError("odd"),
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory"),
]


def talk(ranks: Ranks, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"gather": ranks.gather([ranks.rank, math.nan, 2.0**53 - 1])}
    found["bytes"] = ranks.gather_bytes(b"x" * (3 * ranks.rank))
    found["none"] = ranks.gather_bytes(b"")
    found["broadcast"] = ranks.broadcast(b"from " + str(ranks.rank).encode())
    total = torch.arange(4.0) * 10.0**ranks.rank
    ranks.add(total)
    found["sum"] = total.tolist()
    found["errors"] = []
    for error in ERRORS:
        try:
            with ranks.together():
                if ranks.rank == 1:
                    raise error
        except SeqflowError as caught:
            found["errors"].append((type(caught), str(caught), caught.exit_code, caught.__cause__ is error))
    # Of two errors the first process's counts; none is none.
    try:
        with ranks.together():
            if ranks.rank:
                raise UsageError(f"of {ranks.rank}")
    except UsageError as caught:
        found["first"] = str(caught)
    with ranks.together():
        pass
    found["equal"] = check_equal({"a": torch.ones(2)}, 3, ranks)
    for name, check in (
        ("weights", lambda: check_equal({"a": torch.full((2,), 1.0 + (ranks.rank == 2) * 1e-7)}, 3, ranks)),
        ("data", lambda: check_same_data("ab" if ranks.rank < 2 else "cd", ranks)),
    ):
        try:
            check()
        except SeqflowError as caught:
            found[name] = str(caught)
    (folder / f"{ranks.rank}").write_text(f"file of {ranks.rank}")
    own = folder / str(ranks.rank) if ranks.first else None
    found["file"] = from_first(ranks, own, lambda path: path.read_text())
    found["no file"] = from_first(ranks, None, lambda path: path.read_text())
    ranks.leave()
    ranks.leave()
    return found


def test_what_one_tells_all_hear(tmp_path: Path) -> None:
    answers = in_processes(tmp_path, 3, talk, tmp_path)
    for rank, found in enumerate(answers):
        assert isinstance(found, dict), found
        assert [row[0] for row in found["gather"]] == [0.0, 1.0, 2.0]
        assert all(math.isnan(row[1]) and row[2] == 2.0**53 - 1 for row in found["gather"])
        assert found["bytes"] == [b"", b"xxx", b"xxxxxx"] and found["none"] == [b"", b"", b""]
        assert found["broadcast"] == b"from 0"
        assert found["sum"] == [0.0, 111.0, 222.0, 333.0]
        kinds = [kind for kind, *_ in found["errors"]]
        assert kinds == [UsageError, InputError, RecipeError, SeqflowError, ResourceError, ResourceError]
        texts = [text for _, text, *_ in found["errors"]]
        assert texts[:3] == ["a: b", "x.wav: silent: no sound", "a\nb"]
        assert texts[3].startswith("process 1: internal error: ValueError: odd")
        assert texts[4].startswith("process 1: out of memory")
        assert [code for *_, code, _ in found["errors"]] == [2, 3, 2, 1, 5, 5]
        # Where it happened the traceback is kept.
        assert all(cause == (rank == 1) for *_, cause in found["errors"])
        assert found["first"] == "of 1"
        assert found["equal"] is None
        assert "step 3: process 2 has other weights than process 0" in found["weights"]
        assert "process 2 finds other data" in found["data"]
        assert (found["file"], found["no file"]) == ("file of 0", None)


def vanish_or_hang(ranks: Ranks, how: str) -> float:
    ranks.gather([0.0])
    begin = time.monotonic()
    if ranks.rank == 1:
        if how == "die":
            os._exit(9)
        time.sleep(3.0)
        return 0.0
    with pytest.raises(LostProcessError, match="another process of this job died") as caught:
        ranks.gather([0.0])
    assert caught.value.exit_code == 5
    ranks.leave()
    return time.monotonic() - begin


def test_one_that_dies_or_hangs_is_no_hang(tmp_path: Path) -> None:
    died, nothing = in_processes(tmp_path / "a", 2, vanish_or_hang, "die")
    assert isinstance(died, float) and died < 5.0 and nothing is None
    hung, _ = in_processes(tmp_path / "b", 2, vanish_or_hang, "hang", limit=1.0)
    assert isinstance(hung, float) and 0.5 < hung < 2.9


def test_alone_nothing_is_caught_and_nobody_waited_for() -> None:
    with pytest.raises(ValueError, match="odd"), ALONE.together():
        raise ValueError("odd")
    with pytest.raises(Interrupted), ALONE.together():
        raise Interrupted("x")
    with join(torch.device("cpu")) as ranks:
        assert ranks is ALONE
    assert (ALONE.gather([1]), ALONE.gather_bytes(b"a"), ALONE.broadcast(b"b")) == ([[1.0]], [b"a"], b"b")


def says(monkeypatch: pytest.MonkeyPatch, *numbers: object) -> None:
    keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    for key, number in zip(keys, numbers, strict=True):
        monkeypatch.setenv(key, str(number))
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")


def test_the_environment_says_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert launch() is None
    says(monkeypatch, 5, 8, 1, 4)
    assert launch() == Launch(5, 8, 1, 4)
    assert not Launch(5, 8, 1, 4).one_host and Launch(1, 2, 1, 2).one_host


@pytest.mark.parametrize("numbers", [("x", 2, 0, 1), (2, 2, 0, 1), (0, 2, 1, 1), (0, 1, 0, 2), (-1, 2, 0, 1)])
def test_an_environment_that_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[object, ...]
) -> None:
    says(monkeypatch, *numbers)
    with pytest.raises(UsageError, match="which torchrun never does"):
        launch()


def test_every_process_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    says(monkeypatch, 3, 4, 1, 2)
    assert choose_device("auto") == choose_device("cuda") == torch.device("cuda", 1)
    assert choose_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="each of 2 processes takes a GPU"):
        choose_device("cuda:0")
    says(monkeypatch, 3, 4, 1, 4)
    with pytest.raises(UsageError, match="4 processes want a GPU each, but there are 2"):
        choose_device("auto")
