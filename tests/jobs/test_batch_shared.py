"""Several processes and shards in one folder: no file twice, none lost, the bytes of one process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile
from batch_material import contents, write_model, write_recordings
from pool_work import start
from small import noise

from seqflow.errors import UsageError
from seqflow.jobs import batch
from seqflow.jobs.batch import FileDone, Waiting, run_batch
from seqflow.jobs.batch_inputs import BLOCKS, Shard, block_of, parse_shard
from seqflow.jobs.claims import Claims
from seqflow.jobs.pool import run_tasks

PROGRAM = """
import sys, time
from pathlib import Path
from seqflow.jobs.batch import FileDone, run_batch
if __name__ == "__main__":
    model, inputs, out, stop = sys.argv[1:]
    def say(event):
        print(f"did {event.name}" if isinstance(event, FileDone) else "waits", flush=True)
        if isinstance(event, FileDone) and event.done == int(stop):
            time.sleep(600)
    print("exit", run_batch(Path(model), Path(inputs), Path(out), expiry=2.0, on_event=say).exit_code)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("in"), 16)


@pytest.fixture(scope="module")
def whole(model: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    run_batch(model, recordings, out)
    found = contents(out)
    assert not (out / "claims").exists() and len(found) == 21
    return found


def process(folder: Path, model: Path, recordings: Path, out: Path, stop: int) -> subprocess.Popen[str]:
    (folder / "run.py").write_text(PROGRAM)
    words = [sys.executable, str(folder / "run.py"), str(model), str(recordings), str(out), str(stop)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=lambda how: how.name)
def test_a_process_that_is_killed_or_stands_still_is_succeeded_by_the_other(
    model: Path, recordings: Path, tmp_path: Path, whole: dict[str, bytes], how: signal.Signals
) -> None:
    out = tmp_path / "out"
    with process(tmp_path, model, recordings, out, 3) as first:
        assert first.stdout is not None
        said = [first.stdout.readline() for _ in range(3)]
        with process(tmp_path, model, recordings, out, 0) as second:
            assert second.stdout is not None
            heard = [second.stdout.readline()]
            os.killpg(first.pid, how)
            heard += second.stdout.readlines()
            os.killpg(first.pid, signal.SIGKILL)
            said += first.stdout.readlines()
    assert heard[-1] == "exit 3\n"
    done = Counter(line for line in said + heard if line.startswith("did "))
    # What the dead one did is looked at again where its block was not done, and not scored again.
    assert set(done) == {f"did {name}\n" for name in [*(f"{i}.wav" for i in range(16)), "text.wav"]}
    assert contents(out) == whole


def test_living_processes_share_the_work(
    model: Path, recordings: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    events: list[list[FileDone | Waiting]] = [[], []]
    ready = threading.Barrier(2)

    def run(own: list[FileDone | Waiting]) -> None:
        def note(event: FileDone | Waiting) -> None:
            if not own:
                ready.wait()  # both have begun
            own.append(event)

        run_batch(model, recordings, tmp_path / "out", expiry=30.0, on_event=note)

    threads = [threading.Thread(target=run, args=(own,)) for own in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [e.name for own in events for e in own if isinstance(e, FileDone)]
    assert sorted(names) == sorted({*names}) and len(names) == 17 and all(events)
    assert contents(tmp_path / "out") == whole and not (tmp_path / "out" / "claims").exists()


def test_shards(model: Path, recordings: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out, seen = tmp_path / "out", []
    for index in (3, 1, 2):
        summary = run_batch(model, recordings, out, shard=Shard(index, 3))
        seen.append((summary.inputs, summary.tables, summary.shard))
        assert (out / "scores.csv").exists() == summary.tables
    assert [tables for _, tables, _ in seen] == [False, False, True] and seen[0][2] == "3/3"
    assert sum(inputs for inputs, _, _ in seen) == 17
    assert contents(out) == whole
    # Without the last shard, the whole joins them.
    shutil.rmtree(out)
    run_batch(model, recordings, out, shard=Shard(1, 2))
    summary = run_batch(model, recordings, out)
    assert summary.tables and summary.reused > 0 and contents(out) == whole


def test_shares_depend_on_the_name_alone() -> None:
    names = [f"ü{i}.wav" for i in range(300)]
    owners = [[s for s in range(1, 8) if Shard(s, 7).holds(name)] for name in names]
    assert all(len(found) == 1 for found in owners) and len({found[0] for found in owners}) == 7
    assert block_of("a.wav") == block_of("a.wav") and 0 <= int(block_of("a.wav")) < BLOCKS
    for text in ("0/3", "4/3", "1", "1/2/3", "a/b", "-1/2", "1/9999999999"):
        with pytest.raises(UsageError, match="must be i/n"):
            parse_shard(text)
    assert str(parse_shard("2/8")) == "2/8"


def test_a_failure_is_met_once_in_a_batch(
    model: Path, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shard's process cannot end all of its files; the one that joins them keeps the failure for the tables.
    out, tried = tmp_path / "out", []

    def crash(start: object, tasks: object, **keys: Any) -> object:
        for outcome in run_tasks(start, tasks, **keys):  # type: ignore[arg-type]
            tried.append(outcome.task)
            poison = outcome.task == "7.wav"
            if poison:
                (out / "results" / "7.wav.json").unlink()
            yield outcome._replace(status="crashed", answer="the process died") if poison else outcome

    monkeypatch.setattr(batch, "run_tasks", crash)
    index = 1 if Shard(1, 2).holds("7.wav") else 2
    first = run_batch(model, recordings, out, shard=Shard(index, 2))
    assert first.states["crashed"] == 1
    last = run_batch(model, recordings, out, shard=Shard(3 - index, 2))
    assert last.tables and tried.count("7.wav") == 1 and "crashed" not in last.states
    assert json.loads((out / "summary.json").read_text())["states"]["crashed"] == 1
    monkeypatch.setattr(batch, "run_tasks", run_tasks)
    assert run_batch(model, recordings, out).states == {"not_audio": 1, "ok": 16}


def test_other_settings_at_the_same_time_are_refused(model: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Claims(out / "claims" / "0123456789abcdef", 30.0) as theirs:
        with pytest.raises(UsageError, match=rf"in use by a batch of another .*process {os.getpid()}"):
            run_batch(model, recordings, out)
        assert theirs.take("a")
    assert run_batch(model, recordings, out).tables and not (out / "claims").exists()


def test_memory_is_limited() -> None:
    work = partial(start, "")
    found = {o.task: o for o in run_tasks(work, ["a", "grow", "b"], workers=1, memory=600.0)}
    assert {task: o.status for task, o in found.items()} == {
        "a": "done",
        "grow": "out_of_memory",
        "b": "done",
    }
    assert found["grow"].answer == "took more than 600 MB"


def test_what_takes_too_much_memory_is_set_aside(model: Path, recordings: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", (0.1 * noise(1, 4_000_000)).T, 8000)
    summary = run_batch(model, tmp_path, tmp_path / "out", memory=1.0)
    assert (summary.states, summary.exit_code) == ({"out_of_memory": 1}, 4)
    (line,) = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["detail"] == "took more than 1 MB"
