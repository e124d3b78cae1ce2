"""`seqflow train`: what is shown of a training, and what comes of one."""

from __future__ import annotations

import io
import signal
from pathlib import Path

import pytest
from calls import QUICK, Seqflow

from seqflow.training import events
from seqflow_cli.progress import Progress
from seqflow_cli.train import Show, event_name, likelihood


def step(number: int, bits: float | None = 3.5) -> events.Step:
    # Windows are drawn in every third step from the sixtieth on.
    draws = number / 1000.0 if number >= 60 and number % 3 == 0 else None
    return events.Step(number, 100, 2.25, bits, 1e-3, 0.5, 123456.7, 83.0, draws)


def test_lines_come_every_so_many_steps_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step") as progress:
        show = Show(progress, every=20)
        for number in range(1, 101):
            show(step(number))
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert [line.split()[1] for line in lines] == ["20/100", "40/100", "60/100", "80/100", "100/100"]
    assert lines[0] == "step 20/100  3.500 bits/sample  123,457 samples/s  1:23 left"
    assert lines[3] == "step 80/100  3.500 bits/sample  draws 0.078 off  123,457 samples/s  1:23 left"
    assert captured.out == ""


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress("step") as progress:
        show = Show(progress, every=20)
        show(step(7))
        show(events.Warned("a [b] c"))
    text = screen.getvalue()
    assert "7/100" in text and "3.500 bits/sample" in text and "1:23 left" in text
    assert "warning: a [b] c" in text


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            events.Started(Path("runs/a"), 0, 100, 1200, 64, 3456, "cpu", False),
            "runs/a: training: 3,456 parameters, 1,200 windows (64 for validation), 100 steps, on cpu",
        ),
        (
            events.Started(Path("a"), 40, 100, 12, 6, 3, "cpu", True),
            "a: going on after step 40: 3 parameters, 12 windows (6 for validation), 100 steps, on cpu",
        ),
        (events.LeftOut("x\ny.wav", "silent", "no sound"), "left out: x\\ny.wav: silent: no sound"),
        (events.Skipped(5, 2, 3), "step 5 skipped: not finite (3 so far, 2 in a row)"),
        (events.MicroBatch(5, 8), "step 5: memory ran out; on with 8 windows at a time"),
        (
            events.Validated(50, 2.25, None, 64, 3e-6, 1e-14, True, None),
            "step 50: validation 2.250 nats/sample, round-trip error 3.0e-06; best so far",
        ),
        (
            events.Validated(50, 2.25, 3.0, 64, 0.5, 1e-14, False, "round trip"),
            "step 50: validation 3.000 bits/sample, round-trip error 5.0e-01; not kept: round trip",
        ),
        (
            events.Calibrated(19, "recording", 0.05),
            "calibrated on 19 recordings: false alarms from 0.05 on can be promised",
        ),
        (events.Uncalibrated("nothing held back"), "not calibrated: nothing held back"),
        (events.Saved(50, Path("x")), ""),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_a_sentence_for_each_event(
    capsys: pytest.CaptureFixture[str], event: events.Event, line: str
) -> None:
    with Progress("step") as progress:
        Show(progress, every=20)(event)
    assert capsys.readouterr().err == (f"{line}\n" if line else "")


def test_names_and_likelihoods() -> None:
    assert event_name(events.LeftOut("a", "b", "c")) == "left_out"
    assert event_name(step(1)) == "step"
    assert likelihood(None, 1.0) == "1.000 nats/sample"
    assert likelihood(0.0, 1.0) == "0.000 bits/sample"


def test_a_run_and_its_folder(seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = seqflow("train", "toy/sine", *QUICK)
    assert result.code == 0
    assert result.out.startswith("runs/toy/sine/best.safetensors: ")
    assert result.out.count("\n") == 1 and "nats/sample on validation windows" in result.out
    lines = result.err.splitlines()
    assert lines[0].startswith("runs/toy/sine: training: ")
    assert [line.split()[1] for line in lines if line.startswith("step ") and "left" in line] == [
        "2/6",
        "4/6",
        "6/6",
    ]
    assert lines[-1] == (
        "next: seqflow score runs/toy/sine PATH..., or seqflow sample runs/toy/sine --out DIR"
    )
    again = seqflow("train", "toy/sine", *QUICK)
    assert (again.code, again.out) == (2, "")
    assert "--resume" in again.err and again.err.count("\n") == 1


def test_json_is_one_event_a_line_and_nothing_else(seqflow: Seqflow, tmp_path: Path) -> None:
    result = seqflow("train", "toy/sine", *QUICK, "--out", tmp_path / "run", "--json")
    assert (result.code, result.err) == (0, "")
    events_ = [line["event"] for line in result.json_lines]
    assert events_[0] == "started" and events_[-1] == "finished"
    assert events_.count("step") == 6 and "validated" in events_ and "calibrated" in events_
    steps = [line["step"] for line in result.json_lines if line["event"] == "step"]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_an_interrupted_run_goes_on(
    seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    shown = Show.__call__

    def interrupt(self: Show, event: events.Event) -> None:
        shown(self, event)
        if isinstance(event, events.Step) and event.step == 4:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Show, "__call__", interrupt)
    result = seqflow("train", "toy/sine", *QUICK, "--out", run)
    assert result.code == 130
    assert "--resume" in result.err.splitlines()[-1]
    monkeypatch.setattr(Show, "__call__", shown)
    result = seqflow("train", "toy/sine", *QUICK, "--out", run, "--resume")
    assert result.code == 0
    assert f"{run}: going on after step 4: " in result.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--set", "train.stepz=3"], "nearest valid key 'steps'"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--device", "abacus"], "'abacus' is none of auto, cpu, cuda"),
        (["--resume"], "no run to resume"),
    ],
)
def test_usage(seqflow: Seqflow, tmp_path: Path, words: list[str], what: str) -> None:
    result = seqflow("train", "toy/sine", "--out", tmp_path / "run", *words)
    assert (result.code, result.out) == (2, "")
    assert what in result.err and result.err.count("\n") == 1


def test_a_folder_that_cannot_be_made(seqflow: Seqflow, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = seqflow("train", "toy/sine", *QUICK, "--out", tmp_path / "file" / "run")
    assert result.code == 5 and result.err.count("\n") == 1


def test_data_that_is_not_there(seqflow: Seqflow, tmp_path: Path) -> None:
    result = seqflow(
        "train", "audio/fsdd", "--set", f"data.root={tmp_path / 'no'}", "--out", tmp_path / "run"
    )
    assert result.code == 2 and "data.root" in result.err and result.err.count("\n") == 1
