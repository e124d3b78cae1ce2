"""The demonstration, with a training cut short: all it promises is there, and the fault is where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seqflow.errors import UsageError
from seqflow.jobs import demo
from seqflow.jobs.demo import Stage, pulse_wave, run_demo

SHORT = ("train.steps=3", "train.warmup=1", "train.validate_every=3", "train.validate_windows=4")


def values(path: Path) -> np.ndarray:
    return np.loadtxt(path, skiprows=1)


def test_all_of_it_and_once_more(tmp_path: Path) -> None:
    seen: list[object] = []
    made = run_demo(tmp_path / "demo", overrides=SHORT, device="cpu", on_event=seen.append)
    assert sum(isinstance(event, Stage) for event in seen) == 3
    assert set(made.scores) == {"quiet", "quiet-with-fault", "moved"}
    assert all(score.status == "ok" and score.p_value is not None for score in made.scores.values())
    assert (made.tables / "scores.csv").is_file() and len(list((made.tables / "figures").iterdir())) == 4
    assert made.samples.figure.is_file() and all(path.is_file() for path in made.samples.paths)

    quiet = values(made.recordings / "quiet.csv")
    changed = np.flatnonzero(quiet != values(made.recordings / "quiet-with-fault.csv")) / 100.0
    start, end = made.fault
    assert start <= changed.min() <= start + 0.1 and end - 0.1 <= changed.max() < end
    whole = np.loadtxt(pulse_wave(), delimiter=",", skiprows=1, usecols=1)
    assert np.array_equal(quiet, whole[55_500:57_000])

    again = run_demo(tmp_path / "demo", overrides=SHORT, device="cpu")
    assert {name: score.row() for name, score in again.scores.items()} == {
        name: score.row() for name, score in made.scores.items()
    }


def test_without_its_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"heartpy.*pip install"):
        run_demo(tmp_path)
