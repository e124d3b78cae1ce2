"""`torchrun -m seqflow_cli`: real processes, stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from calls import Seqflow

from seqflow.checkpoint import read_checkpoint
from seqflow.model import Model

STEPS = 120
WORDS = [
    *("toy/sine", "--device", "cpu", "--set", f"train.steps={STEPS}", "--set", "train.warmup=1"),
    *("--set", "train.batch=5", "--set", "train.validate_every=20", "--set", "train.validate_windows=9"),
    *("--set", "train.log_every=5", "--set", "train.threads=1", "--set", "data.recordings=8"),
    *("--set", "data.seconds=4"),
]
LIMIT = 120.0


class Running:
    """torchrun with two processes; its lines are read as they come."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        self.process = subprocess.Popen(
            [*command, "-m", "seqflow_cli", *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            # A test run in the background ignores SIGINT, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, start: str) -> None:
        deadline = time.monotonic() + LIMIT
        while not any(line.startswith(start) for line in self.lines):
            assert time.monotonic() < deadline and self.process.poll() is None, self.lines
            time.sleep(0.01)

    def ended(self) -> int:
        code = self.process.wait(LIMIT)
        self._reader.join()
        return code

    def rank(self, rank: int) -> int:
        """The process with this number."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        mine = [
            int(child)
            for child in children
            if f"RANK={rank}".encode() in Path("/proc", child, "environ").read_bytes().split(b"\0")
        ]
        assert len(mine) == 1
        return mine[0]

    def said(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]


@contextmanager
def running(*words: object) -> Iterator[Running]:
    found = Running(*words)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            os.killpg(found.process.pid, signal.SIGKILL)
            found.process.wait()


def step_of(out: Path) -> int:
    return int(read_checkpoint(out / "last.safetensors", "seqflow-training")[1]["progress"]["step"])


def test_stopped_killed_and_gone_on_with_it_is_the_run_of_one(seqflow: Seqflow, tmp_path: Path) -> None:
    out = tmp_path / "two"
    with running("train", *WORDS, "--out", out) as run:
        run.wait_for("step 10/")
        os.kill(run.process.pid, signal.SIGINT)
        assert run.ended() != 0
    # torchrun passes the signal on; both end the same step, and one saves it and says so.
    (line,) = run.said("interrupted after step")
    stopped = step_of(out)
    assert line == f"{out}: interrupted after step {stopped} of {STEPS}; --resume goes on from there"
    assert 10 <= stopped < STEPS
    assert len(run.said(": training: ")) == 1 and run.said(" 2 processes")
    assert not run.said("Signal 9") and not run.said("terminate called")

    with running("train", *WORDS, "--out", out, "--resume") as run:
        run.wait_for(f"step {stopped // 20 * 20 + 45}/")
        os.kill(run.rank(1), signal.SIGKILL)
        killed = time.monotonic()
        assert run.ended() != 0
        # torchrun itself gives processes 30 seconds.
        assert time.monotonic() - killed < 40.0
    assert len(run.said("going on after step")) == 1
    # Said by the process, and named by torchrun.
    assert run.said("process 0 of 2: another process of this job died")[0].endswith("with --resume")
    assert run.said("Signal 9 (SIGKILL)")
    saved = step_of(out)
    assert saved > stopped and saved % 20 == 0
    Model.load(out)

    with running("train", *WORDS, "--out", out, "--resume") as run:
        assert run.ended() == 0
    assert run.said(f"going on after step {saved}:") and len(run.said("best.safetensors:")) == 1
    assert not run.said("Traceback")

    alone = tmp_path / "one"
    assert seqflow("train", *WORDS, "--out", alone).code == 0
    ours, theirs = Model.load(out), Model.load(alone)
    assert ours.info["processes"] == 2 and ours.info["trained_steps"] == STEPS
    assert ours.info["valid_nats"] == pytest.approx(theirs.info["valid_nats"], abs=2e-3)
    logs = [
        {line["step"]: line["nats"] for line in lines if line["event"] == "step"}
        for lines in ([json.loads(text) for text in (run / "log.jsonl").open()] for run in (out, alone))
    ]
    assert logs[0].keys() == logs[1].keys() == set(range(5, STEPS + 1, 5))
    for step, nats in logs[1].items():
        assert logs[0][step] == pytest.approx(nats, abs=5e-3), step
    assert np.isfinite(list(logs[0].values())).all()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """A process as torchrun starts it, one that ends before it looks for the others."""

    def started(rank: int, *words: str) -> subprocess.Popen[str]:
        said = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
        env = {key: str(value) for key, value in said.items()}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
        env["TORCHELASTIC_ERROR_FILE"] = str(tmp_path / f"{rank}.json")
        return subprocess.Popen(
            [sys.executable, "-m", "seqflow_cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )

    return started


def test_a_fault_that_all_meet_is_said_once(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    processes = [start(rank, "train", "toy/sine", "--set", "train.stepz=3") for rank in (0, 1)]
    for rank, process in enumerate(processes):
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (2, "")
        assert ("nearest valid key 'steps'" in err and err.count("\n") == 1) if rank == 0 else err == ""
    for rank in (0, 1):
        # What torchrun's summary shows.
        told = json.loads((tmp_path / f"{rank}.json").read_text())["message"]
        assert told["message"] and told["extraInfo"]["py_callstack"] == told["message"]


def test_what_one_process_does_is_not_done_by_several(
    seqflow: Seqflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"RANK": 0, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 2}
    for key, value in {**said, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 1}.items():
        monkeypatch.setenv(key, str(value))
    # The handler of SIGTERM that a failed process leaves is not for this one.
    before = signal.getsignal(signal.SIGTERM)
    try:
        result = seqflow("score", "run", "a.wav", "--out", "x")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("score: is done by one process; start it without torchrun")


@pytest.mark.cuda
def test_a_group_of_one_gpu_is_that_gpu(seqflow: Seqflow, tmp_path: Path) -> None:
    """Gradients go through nccl, to whatever there is: one process."""
    words = ["cuda" if word == "cpu" else word for word in WORDS]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    done = subprocess.run(
        [*command, "-m", "seqflow_cli", "train", *words, "--out", str(tmp_path / "group"), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["processes"] == 1
    assert seqflow("train", *words, "--out", tmp_path / "alone").code == 0
    group, alone = (Model.load(tmp_path / name) for name in ("group", "alone"))
    assert group.info["device"] == alone.info["device"] != "cpu"
    assert group.info["valid_nats"] == pytest.approx(alone.info["valid_nats"], abs=1e-4)
    for name, tensor in alone.flow.state_dict().items():
        np.testing.assert_allclose(group.flow.state_dict()[name], tensor, rtol=1e-3, atol=1e-4, err_msg=name)
