"""`seqflow stream` through the command line: formats, faults, and a kill that loses and doubles nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calls import Result, Seqflow
from stream_model import stream_run, values_of

from seqflow.lock import lock
from seqflow.scoring import score_recording
from seqflow_cli import main

COMMAND = [sys.executable, "-m", "seqflow_cli", "stream"]
Line = dict[str, Any]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stream_run(tmp_path_factory.mktemp("stream"))


def call(run: Path, data: bytes, *words: object) -> Result:
    done = subprocess.run(
        [*COMMAND, str(run), *map(str, words)], input=data, capture_output=True, timeout=120
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def said(run: Path, data: bytes, *words: object) -> list[Line]:
    """The lines of the same command in this process."""
    read, write = os.pipe()
    feeder = threading.Thread(target=lambda: (os.write(write, data), os.close(write)))
    before, out = os.dup(0), io.StringIO()
    os.dup2(read, 0)
    os.close(read)
    feeder.start()
    try:
        with contextlib.redirect_stdout(out):
            main.run(["stream", str(run), *map(str, words)])
    finally:
        os.dup2(before, 0)
        os.close(before)
        feeder.join(60)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def record(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if "seq" in line]


def kinds(lines: Sequence[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["kind"] == kind]


def jsonl(values: np.ndarray, first: int = 0) -> list[str]:
    rows = enumerate(values[0].tolist(), first)
    return [json.dumps({"n": n, "values": [x]}) for n, x in rows]


def test_raw_samples_are_scored_as_the_recording(run: Path) -> None:
    from small import recording

    from seqflow.model import Model

    x = values_of(3, 1500)
    found = call(run, x.astype("<f4").tobytes(), "--format", "f32le", "--terms", "--samples")
    assert (found.code, found.err) == (0, "")
    model = Model.load(run)
    whole = score_recording(
        model.flow,
        recording(x.astype(np.float32), rate=8000.0, kind="audio"),
        model.recipe.score,
        model.calibration,
        arrays=True,
    )
    assert whole.windows is not None and whole.arrays is not None
    windows = kinds(found.json_lines, "window")
    assert [line["sample"] for line in windows] == whole.windows["start"].tolist()
    assert [line["start"] for line in windows] == (whole.windows["start"] / 8000.0).tolist()
    np.testing.assert_allclose(
        [w["terms"]["nll"] for w in windows], whole.windows["nll"], rtol=1e-3, atol=1e-4
    )
    place = np.concatenate([line["values"]["place"] for line in kinds(found.json_lines, "samples")])
    np.testing.assert_allclose(place, whole.arrays["place"], rtol=1e-3, atol=1e-4)
    seqs = [line["seq"] for line in record(found.json_lines)]
    assert seqs == list(range(len(seqs)))
    assert found.json_lines[-1]["kind"] == "end" and found.json_lines[-1]["samples"] == 1500


def test_formats_say_the_same(run: Path) -> None:
    x = np.round(values_of(4, 400) * 32768) / 32768
    texts = {
        "s16le": (x * 32768).astype("<i2").tobytes(),
        "s32le": (x * 2.0**31).astype("<i4").tobytes(),
        "f32le": x.astype("<f4").tobytes(),
        "csv": "".join(f"{v!r}\n" for v in x[0].tolist()).encode(),
        "jsonl": "\n".join(jsonl(x)).encode(),
    }
    nll = {
        name: [w["nll"] for w in kinds(said(run, data, "--format", name), "window")]
        for name, data in texts.items()
    }
    assert len(nll["csv"]) == 24
    for found in nll.values():
        np.testing.assert_allclose(found, nll["f32le"], rtol=1e-6)


def test_an_event_has_an_onset_a_peak_and_an_end(run: Path) -> None:
    x = values_of(5, 6000)
    x[:, 3000:3600] *= 8.0
    lines = said(run, x.astype("<f4").tobytes(), "--format", "f32le", "--onset", "4")
    (onset,), (event,) = kinds(lines, "onset"), kinds(lines, "event")
    assert onset["seq"] < event["seq"] and onset["event"] == event["event"] == 1
    # A normal window behind it whose p-value is below 4a by chance makes it last a little longer.
    assert 2900 <= event["sample"] <= 3032 and 3570 / 8000 <= event["end"] <= 3900 / 8000
    assert 3000 / 8000 <= event["peak"] < 3600 / 8000


def test_late_missing_and_bad_lines(run: Path) -> None:
    lines = jsonl(values_of(6, 400))
    lines[10], lines[11] = lines[11], lines[10]  # out of order, within the wait
    sent = [*lines[:100], lines[50], *lines[103:200], "{broken", '{"n": 200, "values": [1, 2]}', *lines[300:]]
    found = call(run, "\n".join(sent).encode(), "--format", "jsonl", "--wait", "5")
    assert found.code == 3
    bad = kinds(found.json_lines, "bad_line")
    assert [(b["line"], b["reason"]) for b in bad] == [
        (199, "is not JSON"),
        (200, "has 2 values, the model 1 channels"),
    ]
    gaps = [(g["missing"], g["segment"]) for g in kinds(found.json_lines, "gap")]
    assert gaps == [(3, 0), (100, 1)]  # one masked, one that begins a segment
    end = found.json_lines[-1]
    assert (end["late"], end["missing"], end["bad_lines"], end["samples"]) == (1, 103, 2, 300)
    ended = said(run, b"no\n" * 200, "--format", "jsonl", "--most-bad", "7")
    assert len(kinds(ended, "bad_line")) == 7 and kinds(ended, "end") == []


def test_a_stalled_input_is_told_once_and_breaks_nothing(run: Path) -> None:
    with started(run, "--format", "f32le", "--stalled", "0.3") as process:
        assert process.stdin is not None and process.stdout is not None
        assert json.loads(process.stdout.readline())["kind"] == "start"
        assert json.loads(process.stdout.readline())["kind"] == "stalled"
        process.stdin.write(values_of(1, 64).astype("<f4").tobytes())
        process.stdin.close()
        rest = [json.loads(line)["kind"] for line in process.stdout]
        assert rest == ["window", "window", "window", "end"]
        assert process.wait(60) == 0


@contextlib.contextmanager
def started(run: Path, *words: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [*COMMAND, str(run), *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()  # type: ignore[union-attr]


@pytest.mark.parametrize(("kind", "replay"), [("f32le", True), ("jsonl", False)])
def test_a_kill_loses_and_doubles_nothing(run: Path, tmp_path: Path, kind: str, replay: bool) -> None:
    x = values_of(7, 3000)
    x[:, 1400:1700] *= 8.0
    if kind == "jsonl":
        pieces = [(line + "\n").encode() for line in jsonl(x)]
    else:
        pieces = [one.tobytes() for one in x.astype("<f4")[0]]
    words = ("--format", kind, "--onset", "2", "--samples", "--state-every", "0.05")
    whole = record(said(run, b"".join(pieces), *words))
    assert {"onset", "event"} <= {line["kind"] for line in whole}
    state, out = tmp_path / "s.state", tmp_path / "out.jsonl"
    keep = ("--state", state, "--out", out)
    told: list[Line] = []
    with started(run, *words, *keep) as process:
        assert process.stdin is not None and process.stdout is not None
        lines: queue.Queue[bytes] = queue.Queue()
        reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()])
        told.append(json.loads(process.stdout.readline()))
        reader.start()
        for begin in range(0, 1800, 100):
            process.stdin.write(b"".join(pieces[begin : begin + 100]))
            process.stdin.flush()
            time.sleep(0.04)
        while told[-1].get("sample", 0) < 1500:
            told.append(json.loads(lines.get(timeout=60)))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        reader.join(60)
        rest = [lines.get() for _ in range(lines.qsize())]
        told += [json.loads(line) for line in rest if line.endswith(b"\n")]
    data = b"".join(pieces)
    if not replay:
        with started(run, *words, *keep) as probe:  # asks where to go on, and sends from there
            assert probe.stdin is not None and probe.stdout is not None
            start = json.loads(probe.stdout.readline())
            assert 0 < start["consumed"] <= 1800
            rest_of_it = b"".join(pieces[start["consumed"] :])
            sender = threading.Thread(target=lambda: (probe.stdin.write(rest_of_it), probe.stdin.close()))
            sender.start()
            again = [start, *map(json.loads, probe.stdout)]
            sender.join(60)
            assert probe.wait(60) == 0
    else:
        again = call(run, data, *words, *keep, "--replay").json_lines
    joined = {line["seq"]: line for line in record(told)}
    for line in record(again):
        assert joined.setdefault(line["seq"], line) == line  # said twice, if at all, in the same words
    assert [joined[seq] for seq in sorted(joined)] == whole
    assert [json.loads(line) for line in out.read_text().splitlines()] == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_state(run: Path, tmp_path: Path, number: signal.Signals) -> None:
    x = values_of(8, 800).astype("<f4")
    whole = record(said(run, x.tobytes(), "--format", "f32le"))
    words = ("--format", "f32le", "--state", tmp_path / "s", "--state-every", "1000")
    with started(run, *words) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(x[:, :400].tobytes())
        process.stdin.flush()
        told: list[Line] = []
        while not told or told[-1].get("sample") != 400 - 32:
            told.append(json.loads(process.stdout.readline()))
        process.send_signal(number)
        assert process.wait(60) == 130
        assert b"400 samples; the state is saved" in process.stderr.read()
        told += map(json.loads, process.stdout)
    again = call(run, x[:, 400:].tobytes(), *words).json_lines
    assert again[0]["samples"] == 400
    assert record(told) + record(again) == whole


def test_a_reader_that_goes_away_leaves_the_state(run: Path, tmp_path: Path) -> None:
    x = values_of(9, 4000).astype("<f4")
    whole = record(said(run, x.tobytes(), "--format", "f32le"))
    words = ("--format", "f32le", "--state", tmp_path / "s", "--state-every", "1000")
    with started(run, *words) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(x[:, :2000].tobytes())
        process.stdin.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""
    again = call(run, x.tobytes(), *words, "--replay").json_lines
    assert again[0]["consumed"] == 2000
    assert record(again) == whole


def test_what_does_not_belong_together_is_refused(run: Path, tmp_path: Path, seqflow: Seqflow) -> None:
    def inside(which: Path, data: bytes, *words: object) -> Result:
        given = tmp_path / "input"
        given.write_bytes(data)
        before = os.dup(0)
        with given.open("rb") as file:
            os.dup2(file.fileno(), 0)
        try:
            return seqflow("stream", which, *words)
        finally:
            os.dup2(before, 0)
            os.close(before)

    state = tmp_path / "s"
    x = values_of(1, 100).astype("<f4").tobytes()
    assert inside(run, x, "--format", "f32le", "--state", state).code == 0
    other = stream_run(tmp_path / "other", seed=500)
    found = inside(other, x, "--format", "f32le", "--state", state)
    assert found.code == 2 and "state of another model" in found.err and found.err.count("\n") == 1
    found = inside(run, x, "--format", "f32le", "--state", state, "--terms")
    assert found.code == 2 and "terms was False, now True" in found.err
    with lock(state.with_name("s.lock")):
        found = inside(run, x, "--format", "f32le", "--state", state)
        assert found.code == 2 and "in use" in found.err
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    found = inside(run, x, "--format", "f32le", "--state", state)
    assert found.code == 2 and "damaged" in found.err
    for words, text in (
        (("--alarm-rate", "0.0001"), "smallest attainable rate"),
        (("--format", "mp3"), "is none of"),
        (("--wait", "soon"), "--wait"),
        (("--topic", "x"), "--mqtt"),
        (("--replay",), "--state"),
    ):
        found = inside(run, b"", *words)
        assert found.code == 2 and text in found.err and found.err.count("\n") == 1
