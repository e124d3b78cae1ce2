"""Figures of files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from seqflow.data.inspect import inspect, inspect_recording
from seqflow.data.recording import ArrayRecording, Block
from seqflow.data.runs import Runs
from seqflow.errors import InputError
from seqflow.recipe import AudioData, SeriesData

AUDIO = AudioData(kind="audio", root=".", window=64)


def test_a_sound_file(tmp_path: Path) -> None:
    rate, n = 8000, 24_000
    time = np.arange(n) / rate
    left = 0.5 * np.sin(2 * np.pi * 440 * time)
    right = np.clip(1.2 * np.sin(2 * np.pi * 100 * time), -0.8, 0.8)
    right[8000:16000] = left[8000:16000] = 0.0
    sf.write(tmp_path / "a.wav", np.stack([left, right], 1), rate, subtype="PCM_16")
    found = inspect(tmp_path / "a.wav", AUDIO)
    assert (found.name, found.kind, found.channels, found.rate) == ("a.wav", "audio", 2, 8000.0)
    assert (found.length, found.duration, found.status, found.missing) == (n, 3.0, "ok", 0.0)
    assert found.step == 2.0**-15
    assert found.peak == pytest.approx(0.8, abs=1e-4) and found.maximum[0] == pytest.approx(0.5, abs=1e-3)
    assert found.rms == pytest.approx(np.sqrt(np.mean(np.stack([left, right]) ** 2)), rel=1e-3)
    assert found.rms_db == pytest.approx(20 * math.log10(found.rms))
    assert found.silent == pytest.approx(1 / 3, abs=0.01)
    # Cut at 0.8 of 1.2: the phase lies beyond asin(2/3) for 1 - 2·asin(2/3)/pi of the time.
    assert found.clipped == pytest.approx((1 - 2 * math.asin(2 / 3) / math.pi) * 2 / 3, abs=0.02)
    assert found.constant == ()
    row = found.row()
    assert row["minimum"] == list(found.minimum) and json.dumps(row)


def test_a_series_with_gaps(tmp_path: Path) -> None:
    seconds = np.concatenate([np.arange(100), 110 + np.arange(50), 165 + np.arange(50)])
    rows = [f"{t},{np.sin(t / 9):.3f},5" for t in seconds]
    rows[20] = f"{seconds[20]},,5"
    (tmp_path / "a.csv").write_text("time,v,flat\n" + "\n".join(rows) + "\n")
    for irregular in ("mask", "split"):
        config = SeriesData(kind="series", root=str(tmp_path), window=8, irregular=irregular)
        found = inspect(tmp_path / "a.csv", config)
        assert (found.kind, found.channel_names, found.rate) == ("series", ("v", "flat"), 1.0)
        assert (found.length, found.duration) == (215, 215.0)
        assert (found.gaps, found.longest_gap) == (3, 10) and found.missing == pytest.approx(16 / 215)
        assert found.constant == ("flat",) and found.rms_db is None and found.silent is None
    with pytest.raises(InputError):
        inspect(tmp_path / "a.csv", SeriesData(kind="series", root=".", window=8))


def test_silence_and_nothing() -> None:
    zeros = inspect_recording(ArrayRecording(np.zeros((1, 500)), kind="audio", rate=1000.0))
    assert zeros.rms_db == -math.inf and zeros.silent == 1.0 and zeros.constant == ("0",)
    assert zeros.row()["rms_db"] is None and zeros.clipped == 0.0
    dead = inspect_recording(ArrayRecording(np.stack([np.full(50, np.nan), np.arange(50.0)])))
    assert dead.missing == 1.0 and dead.gaps == 1 and dead.longest_gap == 50
    assert dead.constant == ("0",) and math.isnan(dead.minimum[0]) and dead.maximum[1] == 49
    assert dead.row()["minimum"] == [None, 0.0]
    empty = inspect_recording(ArrayRecording(np.zeros((1, 0))))
    assert empty.length == 0 and empty.peak == 0.0 and empty.missing == 0.0


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 8000)
    path.write_bytes(path.read_bytes()[:5000])
    found = inspect(path, AUDIO)
    assert found.status == "truncated" and found.detail and found.length < 4000


@given(st.data(), st.integers(1, 5))
def test_figures_do_not_depend_on_blocks(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.clip(rng.standard_normal((2, 300)), -1.0, 0.7)
    values[rng.random((2, 300)) < 0.05] = np.nan
    cut = data.draw(st.integers(1, 300))

    class Cut(ArrayRecording):
        def blocks(self, frames: int) -> Iterator[Block]:
            return super().blocks(cut)

    one, other = inspect_recording(ArrayRecording(values)), inspect_recording(Cut(values))
    for key, value in one.row().items():
        assert other.row()[key] == pytest.approx(value), key


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6), st.data())
def test_runs_over_blocks(flags: list[bool], shortest: int, data: st.DataObject) -> None:
    runs = Runs(shortest)
    rest = list(flags)
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        runs.add(np.array(rest[:n]))
        rest = rest[n:]
    lengths = [len(run) for run in "".join("x" if f else " " for f in flags).split() if len(run) >= shortest]
    assert (runs.count, runs.samples, runs.longest) == (len(lengths), sum(lengths), max(lengths, default=0))
