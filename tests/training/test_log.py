"""The log is lines of JSON that never run ahead of what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seqflow.errors import ResourceError
from seqflow.training.log import Log


def test_lines_are_json(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.write("step", nats=1.5, bits=None, name="ü\n")
    log.write("step", nats=float("nan"), bits=float("inf"))
    assert log.sync() == (tmp_path / "log").stat().st_size
    log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "step", "nats": 1.5, "bits": None, "name": "ü\n"},
        {"event": "step", "nats": None, "bits": None},
    ]


@pytest.mark.parametrize("lost", [0, 3, 100])
def test_what_came_behind_the_checkpoint_goes(tmp_path: Path, lost: int) -> None:
    log = Log(tmp_path / "log")
    log.write("a")
    kept = log.sync()
    log.write("b")
    log.close()
    path = tmp_path / "log"
    path.write_bytes(path.read_bytes()[: path.stat().st_size - lost])
    log = Log(path, keep=kept)
    log.write("c")
    log.close()
    # A log that is shorter than it was keeps what it has.
    expected = ["a", "c"] if lost < 100 else ["c"]
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == expected


def test_a_new_run_begins_a_new_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old\n")
    Log(tmp_path / "log").close()
    assert (tmp_path / "log").read_text() == ""


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=f"{tmp_path}: cannot be written"):
        Log(tmp_path)
    # A device that is always full.
    with pytest.raises(ResourceError, match="/dev/full: cannot be written"):
        Log(Path("/dev/full")).write("a")
