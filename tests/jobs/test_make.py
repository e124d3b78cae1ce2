"""Made-up recordings in files, and what an inspection finds in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqflow.data.faults import FAULTS
from seqflow.data.inspect import Inspection
from seqflow.errors import InputError, UsageError
from seqflow.jobs.inspect import exit_code, inspect_paths
from seqflow.jobs.make import make_files
from seqflow.recipe import load


def test_sound_becomes_wav_and_faults_are_listed(tmp_path: Path) -> None:
    made = make_files("machine", tmp_path, recordings=2, seconds=1.0, faulty=3, faults=("silence", "noise"))
    assert [path.name for path in made.normal] == ["machine-000.wav", "machine-001.wav"]
    assert [path.name for path in made.faulty] == [
        "machine-002-silence.wav",
        "machine-003-noise.wav",
        "machine-004-silence.wav",
    ]
    rows = [json.loads(line) for line in (tmp_path / "faults.jsonl").read_text().splitlines()]
    assert [tmp_path / row["path"] for row in rows] == list(made.faulty)
    assert {path.parent for path in made.normal} == {tmp_path / "normal"}
    assert {path.parent for path in made.faulty} == {tmp_path / "faulty"}
    values, rate = soundfile.read(made.faulty[0])
    start, end = (round(rows[0][key] * rate) for key in ("start", "end"))
    assert start < end and not values[start:end].any()
    assert np.count_nonzero(values[:, 0]) == len(values) - (end - start)


def test_a_fault_changes_nothing_elsewhere(tmp_path: Path) -> None:
    normal = make_files("sine", tmp_path / "a", recordings=2, seconds=1.0).normal[1]
    spike = {"recordings": 1, "faulty": 1, "faults": ("spike",)}
    faulty = make_files("sine", tmp_path / "b", seconds=1.0, **spike).faulty[0]
    before, after = (path.read_text().splitlines() for path in (normal, faulty))
    assert len(before) == len(after) == 1001
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_sensors_become_tables_and_all_faults_take_turns(tmp_path: Path) -> None:
    made = make_files("sensor", tmp_path, recordings=0, seconds=2.0, rate=50.0, faulty=len(FAULTS))
    assert [path.stem.split("-")[2] for path in made.faulty] == list(FAULTS)
    found = inspect_paths([tmp_path])
    assert exit_code(found) == 0 and len(found) == len(FAULTS)
    for one in found:
        assert isinstance(one, Inspection)
        assert (one.rate, one.channels, one.length) == (50.0, 2, 100)
        assert one.channel_names == ("temperature", "load")


def test_same_arguments_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        make_files("machine", tmp_path / name, recordings=1, seconds=0.5, faulty=2, seed=3)
    made = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")}
    assert len(made) == 4
    for path in made:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_files_of_another_run_never_stay_among_these(tmp_path: Path) -> None:
    make_files("sine", tmp_path / "out", recordings=3, seconds=1.0)
    with pytest.raises(UsageError, match=f"^{tmp_path}/out: holds files already; choose another"):
        make_files("sine", tmp_path / "out", recordings=1, seconds=1.0)
    assert len(list((tmp_path / "out" / "normal").iterdir())) == 3
    (tmp_path / "empty").mkdir()
    assert make_files("sine", tmp_path / "empty", recordings=1, seconds=1.0).normal


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"generator": "sinus"}, "generator: 'sinus'"),
        ({"seconds": -1.0}, "seconds: -1.0"),
        ({"seed": -1}, "seed"),
        ({"recordings": 0}, "make no sense"),
        ({"faulty": -1}, "make no sense"),
        ({"faults": ("bang",)}, "no fault 'bang'; there are silence"),
        ({"seconds": 36000.0, "rate": 1e6}, "GiB"),
    ],
)
def test_what_cannot_be_made(tmp_path: Path, arguments: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        make_files(**{"generator": "sine", "out": tmp_path / "out", **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_inspection_names_what_cannot_be_read(tmp_path: Path) -> None:
    make_files("sine", tmp_path, recordings=1, seconds=1.0)
    (tmp_path / "text.wav").write_text("no sound")
    seen: list[tuple[int, int]] = []
    found = inspect_paths([tmp_path, tmp_path / "nothing.csv"], on_result=lambda _, *at: seen.append(at))
    codes = [one.code if isinstance(one, InputError) else "ok" for one in found]
    assert sorted(codes) == ["not_audio", "ok", "unreadable"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert exit_code(found) == 3
    assert exit_code(inspect_paths([tmp_path / "text.wav"])) == 4


def test_inspection_as_a_recipe_reads(tmp_path: Path) -> None:
    (made,) = make_files("machine", tmp_path, recordings=1, seconds=0.5).normal
    (plain,), (read,) = inspect_paths([made]), inspect_paths([made], load("audio/fsdd").data)
    assert isinstance(plain, Inspection) and plain.channels == 2 and plain.rate == 16000.0
    assert isinstance(read, InputError) and read.code == "wrong_rate"


def test_gaps_are_figures(tmp_path: Path) -> None:
    table = tmp_path / "gap.csv"
    times = [*range(50), *range(60, 100)]
    table.write_text("time,a\n" + "".join(f"{t},{t % 7}\n" for t in times))
    (found,) = inspect_paths([table])
    assert isinstance(found, Inspection)
    assert (found.gaps, found.longest_gap, found.length) == (1, 10, 100)
