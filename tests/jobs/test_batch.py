"""A folder in, a folder out: the same bytes whatever happened in between."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small import Array, noise, small_model

from seqflow.errors import CheckpointError, UsageError
from seqflow.jobs import batch, batch_work
from seqflow.jobs.alarms import Alarms
from seqflow.jobs.batch import BatchSummary, FileDone, Waiting, run_batch
from seqflow.jobs.batch_inputs import block_of, find_inputs
from seqflow.jobs.batch_work import keep_result, start_work
from seqflow.jobs.pool import Outcome
from seqflow.jobs.score import score_paths
from seqflow.model import Model
from seqflow.scoring import FileScore, read_scores

LONG = "n" * 250 + ".wav"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    small_model().save(path)
    return path


def write(root: Path, name: str, values: Array) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(root / name, values.T, 8000, format="WAV")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    for i, name in enumerate(["b/1.wav", "a/2.wav", "a/ü\n.wav", "-x.wav", "=1+1.wav", LONG]):
        write(root, name, 0.1 * noise(i, 900))
    write(root, "silent.wav", np.zeros((1, 900)))
    (root / "a" / "text.wav").write_text("not audio")
    (root / "gone.wav").symlink_to(root / "nowhere.wav")
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] != "claims"
    }


@pytest.fixture(scope="module")
def done(
    model: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BatchSummary]:
    out = tmp_path_factory.mktemp("out")
    return out, run_batch(model, recordings, out, samples=True)


def test_what_comes_out(done: tuple[Path, BatchSummary], recordings: Path) -> None:
    out, summary = done
    assert (summary.inputs, summary.recordings, summary.scored, summary.reused) == (9, 9, 6, 0)
    assert summary.states["ok"] == 6 and summary.states["silent"] == 1 and summary.exit_code == 3
    rows = read_scores(out / "scores.parquet")
    names = [row["name"] for row in rows]
    assert names == sorted(names, key=os.fsencode) and set(names) >= {"a/ü\n.wav", "-x.wav", "=1+1.wav", LONG}
    assert read_scores(out / "scores.csv") == rows
    lines = [json.loads(line) for line in (out / "quarantine.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == ["a/text.wav", "gone.wav", "silent.wav"]
    assert all(line["status"] and line["detail"] for line in lines)
    assert json.loads((out / "summary.json").read_text())["scored"] == 6
    result = json.loads((out / "results" / "a" / "ü\n.wav.json").read_text())
    assert FileScore.from_row(result["rows"][0]).name == "a/ü\n.wav"
    samples = {str(p.relative_to(out / "samples")) for p in (out / "samples").rglob("*.npy")}
    assert {"b/1.wav.npy", "-x.wav.npy"} <= samples and len(samples) == 6
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp")]


def test_scores_are_those_of_score_paths(
    done: tuple[Path, BatchSummary], model: Path, recordings: Path
) -> None:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = score_paths(Model.load(model), [recordings])
    finally:
        torch.set_num_threads(threads)
    rows = read_scores(done[0] / "scores.parquet")
    assert [FileScore.from_row(row) for row in rows if row["nll"]] == [s for s in alone if s.scored]


def test_more_processes_give_the_same_bytes(
    done: tuple[Path, BatchSummary], model: Path, recordings: Path, tmp_path: Path
) -> None:
    run_batch(model, recordings, tmp_path / "out", samples=True, workers=2)
    assert contents(tmp_path / "out") == contents(done[0])


def test_what_is_done_is_not_done_again(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    copy = tmp_path / "in"
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        write(copy, name, 0.1 * noise(len(name), 900))
    (copy / "text.wav").write_text("not audio")
    run_batch(model, copy, out, samples=True)
    before = contents(out)
    write(copy, "a.wav", 0.1 * noise(50, 900))
    (out / "results" / "b.wav.json").write_text("{")
    (out / "samples" / "c.wav.npy").unlink()
    events: list[FileDone | Waiting] = []
    summary = run_batch(model, copy, out, samples=True, on_event=events.append)
    files = [event for event in events if isinstance(event, FileDone)]
    assert {e.name: e.reused for e in files} == {
        **dict.fromkeys(("a.wav", "b.wav", "c.wav"), False),
        **dict.fromkeys(("d.wav", "text.wav"), True),
    }
    assert [e.done for e in files] == [1, 2, 3, 4, 5] and summary.reused == 2
    after = contents(out)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"results/a.wav.json", "samples/a.wav.npy", "scores.csv", "scores.parquet"}
    # Another alarm rate decides anew, as another model does.
    keys = {batch.run_key(path, alarm_rate=rate) for path in (model, Path(__file__)) for rate in (0.1, 0.2)}
    assert len(keys) == 4


def test_killed_and_run_again(
    done: tuple[Path, BatchSummary], model: Path, recordings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = (
        "import sys, time; from pathlib import Path; from seqflow.jobs.batch import run_batch\n"
        "if __name__ == '__main__':\n"
        "    def say(event):\n"
        "        print(event.done, flush=True)\n"
        "        time.sleep(600 if event.done == 2 else 0)\n"
        "    run_batch(*map(Path, sys.argv[1:]), samples=True, on_event=say)\n"
    )
    (tmp_path / "run.py").write_text(code)
    command = [sys.executable, str(tmp_path / "run.py"), str(model), str(recordings), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 2:
                os.killpg(process.pid, signal.SIGKILL)
    whole = contents(done[0])
    seen = {name: data for name, data in contents(out).items() if not name.endswith(".tmp")}
    assert seen and seen.items() <= whole.items() and "scores.csv" not in seen
    summary = run_batch(model, recordings, out, samples=True)
    assert 0 < summary.reused < 8
    assert {n: d for n, d in contents(out).items() if not n.endswith(".tmp")} == whole


def test_a_process_that_dies_or_hangs_costs_its_file_only(model: Path, tmp_path: Path) -> None:
    for name in ("1.wav", "2.wav", "3.wav"):
        write(tmp_path / "in", name, 0.1 * noise(int(name[0]), 900))
    # Blocks are done in their order: this one comes last.
    last = next(name for i in range(9999) if block_of(name := f"long{i}.wav") > "4000")
    write(tmp_path / "in", last, 0.1 * noise(4, 4_000_000))
    order = list(find_inputs(tmp_path / "in", small_model(recordings=0).recipe.data, tmp_path / "x").blocks())
    assert order[-1] == block_of(last)

    def kill(event: FileDone | Waiting) -> None:
        if isinstance(event, FileDone) and event.done == 3:
            time.sleep(1.0)  # it is at the long one by now
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGSEGV)

    crashed = run_batch(model, tmp_path / "in", tmp_path / "out", on_event=kill)
    assert crashed.states == {"crashed": 1, "ok": 3}
    (line,) = (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()
    assert json.loads(line)["detail"] == "the process was ended by SIGSEGV"
    late = run_batch(model, tmp_path / "in", tmp_path / "out", timeout=4.0)
    assert late.states == {"ok": 3, "timeout": 1} and late.reused == 3


def test_manifests(model: Path, recordings: Path, tmp_path: Path) -> None:
    (recordings / "list.jsonl").write_text('{"path": "b/1.wav"}\n{"path": "-x.wav"}\n')
    try:
        summary = run_batch(model, recordings / "list.jsonl", tmp_path)
        assert [row["name"] for row in read_scores(tmp_path / "scores.csv")] == ["-x.wav", "b/1.wav"]
        assert summary.exit_code == 0
        (recordings / "list.jsonl").write_text('{"path": "../secret.wav"}\n')
        with pytest.raises(UsageError, match=r"list\.jsonl:1: outside_root"):
            run_batch(model, recordings / "list.jsonl", tmp_path)
        (recordings / "list.jsonl").write_text('{"path": "b/1.wav"}\n{"path": "./b/1.wav"}\n')
        with pytest.raises(UsageError, match=r"list\.jsonl:2: duplicate: 'b/1\.wav' stands in line 1"):
            run_batch(model, recordings / "list.jsonl", tmp_path)
        (recordings / "list.jsonl").write_text('{"path": "b/1.wav"')
        with pytest.raises(UsageError, match=r"list\.jsonl:1: corrupt: is no JSON"):
            run_batch(model, recordings / "list.jsonl", tmp_path)
    finally:
        (recordings / "list.jsonl").unlink()


def test_what_a_manifest_names_in_vain_is_set_aside(model: Path, recordings: Path, tmp_path: Path) -> None:
    rows = ["path", "b/1.wav", "no/such.wav", "a", "gone.wav", "-x.wav"]
    (recordings / "list.csv").write_text("\n".join(rows) + "\n")
    try:
        summary = run_batch(model, recordings / "list.csv", tmp_path)
        (recordings / "list.csv").write_text("path\nno/such.wav\n")
        nothing = run_batch(model, recordings / "list.csv", tmp_path / "nothing")
    finally:
        (recordings / "list.csv").unlink()
    assert (summary.inputs, summary.scored, summary.exit_code, nothing.exit_code) == (5, 2, 3, 4)
    lines = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
    assert [(line["name"], line["status"]) for line in lines] == [
        ("a", "not_a_file"), ("gone.wav", "unreadable"), ("no/such.wav", "unreadable"),
    ]  # fmt: skip
    assert lines[2]["path"] == str(recordings / "no" / "such.wav")
    assert lines[2]["detail"].startswith(
        f"line 3 of {recordings / 'list.csv'}: there is no file 'no/such.wav'"
    )


def test_inputs_that_are_gone_leave_the_tables(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.wav", "d/b.wav", "c.wav"):
        write(tmp_path / "in", name, 0.1 * noise(1, 900))
    assert run_batch(model, tmp_path / "in", tmp_path / "out").stale == 0
    (tmp_path / "in" / "a.wav").unlink()
    (tmp_path / "in" / "d" / "b.wav").unlink()
    # Nor is the model built to see that nothing is left.
    monkeypatch.setattr("seqflow.model.build_flow", None)
    asked: list[int] = []

    def count(start: object, tasks: Iterable[str], **keys: object) -> Iterator[Outcome]:
        asked.append(len(list(tasks)))
        yield from ()

    monkeypatch.setattr(batch, "run_tasks", count)
    summary = run_batch(model, tmp_path / "in", tmp_path / "out")
    assert set(asked) == {0}  # no process is started where all is done
    assert (summary.inputs, summary.reused, summary.stale) == (1, 1, 2)
    assert [row["name"] for row in read_scores(tmp_path / "out" / "scores.csv")] == ["c.wav"]
    assert (tmp_path / "out" / "results" / "d" / "b.wav.json").exists()
    assert "stale" not in json.loads((tmp_path / "out" / "summary.json").read_text())


def test_results_below_the_inputs_are_not_inputs(tmp_path: Path) -> None:
    config = small_model(recordings=0).recipe.data
    for name in ("a.wav", "out.wav", "out/results/b.wav"):
        write(tmp_path, name, 0.1 * noise(1, 100))
    assert find_inputs(tmp_path, config, tmp_path / "out") == (
        *(tmp_path, ["a.wav", "out.wav"], {}),
        *({}, {}),
    )
    with pytest.raises(UsageError, match="choose another folder for the results"):
        find_inputs(tmp_path, config, tmp_path)


def test_a_file_that_changes_while_it_is_read_is_tried_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in", "a.wav", 0.1 * noise(1, 900))
    work = start_work(str(model), str(tmp_path), str(tmp_path / "out"), "key", False, False, Alarms(), "cpu")
    contents = iter([("one",), ("two",)])
    monkeypatch.setattr(batch_work, "content_of", lambda path: next(contents))
    answer = work("in/a.wav")
    assert answer["rows"][0]["status"] == "changed" and answer["result"] is None
    assert not keep_result(str(tmp_path / "out"), Outcome("in/a.wav", "done", answer)).answer["stored"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), "out_of_memory"), (ZeroDivisionError("x\ny"), "internal_error")]
)
def test_an_accident_is_a_reason(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*args: object, **keys: object) -> None:
        raise error

    write(tmp_path, "a.wav", 0.1 * noise(1, 900))
    work = start_work(str(model), str(tmp_path), str(tmp_path / "out"), "key", False, False, Alarms(), "cpu")
    monkeypatch.setattr(batch_work, "score_input", fail)
    answer = work("a.wav")
    assert answer["rows"][0]["status"] == code and answer["result"] is None
    assert "\n" not in answer["rows"][0]["detail"]


def test_what_cannot_be_run(model: Path, recordings: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="workers must be at least 1"):
        run_batch(model, recordings, tmp_path / "out", workers=0)
    with pytest.raises(UsageError, match="smallest attainable rate"):
        run_batch(model, recordings, tmp_path / "out", alarm_rate=1e-6)
    with pytest.raises(UsageError, match="neither a folder nor a manifest"):
        run_batch(model, tmp_path / "absent", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no recordings"):
        run_batch(model, tmp_path / "empty", tmp_path / "out")
    with pytest.raises(CheckpointError):
        run_batch(tmp_path / "empty", recordings, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="give --engine dask too"):
        run_batch(model, recordings, tmp_path / "out", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match="at least 1 second"):
        run_batch(model, recordings, tmp_path / "out", expiry=0.5)


def test_only_unusable_inputs(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "gone.wav").symlink_to("nowhere.wav")
    summary = run_batch(model, tmp_path / "in", tmp_path / "out")
    assert (summary.exit_code, summary.states) == (4, {"unreadable": 1})
