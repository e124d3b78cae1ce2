"""Claims: one winner whatever the order, no time but the file server's, nothing lost by a death."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from seqflow.jobs.claims import Claims, LostError


def die(claims: Claims, ago: float) -> None:
    """Stop the heart of a process, its last beat so many seconds ago."""
    claims._ended.set()
    claims._heart.join()
    last = claims._own.stat().st_mtime - ago
    os.utime(claims._own, (last, last))


def test_one_process_gets_a_piece(tmp_path: Path) -> None:
    with Claims(tmp_path, 60.0) as one, Claims(tmp_path, 60.0) as two:
        assert one.take("a") and not two.take("a") and not one.take("a")
        assert list(two.take_any(["a", "b"])) == ["b"]
        assert one.left(["a", "b"]) == ["a", "b"]
        assert two.holders(["a"]) == [one.me]
        one.done("a")
        assert two.left(["a", "b"]) == ["b"] and not two.take("a") and two.holders(["a"]) == []


def test_the_dead_are_overtaken_by_one(tmp_path: Path) -> None:
    with Claims(tmp_path, 5.0) as dead:
        assert dead.take("a") and dead.take("b")
        die(dead, 4.0)
        takers = [Claims(tmp_path, 5.0) for _ in range(8)]
        assert not takers[0].take("a")  # not yet
        die(dead, 6.0)
        start, won = threading.Barrier(8), []

        def race(claims: Claims) -> None:
            start.wait()
            won.extend([claims] * claims.take("a"))

        threads = [threading.Thread(target=race, args=(claims,)) for claims in takers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1 and won[0].holds("a") and not dead.holds("a") and dead.holds("b")
        for claims in takers:
            claims.__exit__()
    with Claims(tmp_path, 5.0) as late:
        assert late.take("a")  # an orderly end frees all at once


def test_clocks_of_hosts_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Claims(tmp_path, 5.0) as one, Claims(tmp_path, 5.0) as two:
        assert one.take("a")
        monkeypatch.setattr("time.time", lambda: 4e9)
        assert not two.take("a")


def test_what_was_done_before_is_looked_at_again(tmp_path: Path) -> None:
    with Claims(tmp_path, 5.0) as old:
        assert old.take("a")
        old.done("a")
    with Claims(tmp_path, 5.0) as new:
        assert new.left(["a"]) == ["a"] and new.left(["a"], trust=True) == []
        assert new.take("a")
        new.done("a")
        assert new.left(["a"]) == []
        assert new.take("a", again=True) and new.left(["a"]) == ["a"]


def test_the_folder_goes_with_the_last(tmp_path: Path) -> None:
    with Claims(tmp_path / "c", 5.0) as one:
        with Claims(tmp_path / "c", 5.0) as two:
            two.clear()
            assert one.take("a")
        one.clear()
        assert not (tmp_path / "c").exists()
        with pytest.raises(LostError):
            one.take("b")
