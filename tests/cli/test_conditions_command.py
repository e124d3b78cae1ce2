"""Conditions on the command line: trained, listed, chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import QUICK, Seqflow

from seqflow_cli.main import run


@pytest.fixture(scope="module")
def pitches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pitches"
    assert run(["train", "toy/pitches", "--out", str(folder), *QUICK]) == 0
    return folder


def test_a_condition_is_listed_and_chosen(seqflow: Seqflow, pitches: Path, tmp_path: Path) -> None:
    assert "condition pitch     3 values: a, b, c" in seqflow("info", pitches).out
    assert seqflow("info", pitches, "--json").json["conditions"] == {"pitch": ["a", "b", "c"]}
    made = seqflow("sample", pitches, "--out", tmp_path, "-n", 2, "--condition", "pitch=c", "--json")
    assert made.code == 0 and made.json["condition"] == {"pitch": "c"}
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == [
        "sample-pitch-c-0001.csv",
        "sample-pitch-c-0002.csv",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["pitch=d"], "condition pitch: 'd' is not among its values; there are a, b, c"),
        (["pich=a"], "condition 'pich': is not known; nearest 'pitch'; there are pitch"),
        (["pitch"], "--condition pitch: is not of the form NAME=VALUE, such as digit=7"),
        (["pitch=a", "pitch=b"], "--condition pitch=b: pitch is given twice; leave one out"),
    ],
)
def test_what_there_is_not_is_refused_in_a_line(
    seqflow: Seqflow, pitches: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    words = [word for option in options for word in ("--condition", option)]
    refused = seqflow("sample", pitches, "--out", tmp_path / "out", *words)
    assert refused.code == 2 and refused.err.strip() == message
    assert not (tmp_path / "out").exists()


def test_a_model_without_conditions_takes_none(seqflow: Seqflow, trained: Path, tmp_path: Path) -> None:
    refused = seqflow("sample", trained, "--out", tmp_path / "out", "--condition", "pitch=a")
    assert refused.code == 2 and "the model takes none" in refused.err


def test_a_recording_that_declares_nothing_is_scored_with_a_note(
    seqflow: Seqflow, pitches: Path, recordings: Path
) -> None:
    told = seqflow("score", pitches, recordings / "r0.wav")
    assert told.code == 0
    assert "r0.wav: condition pitch is not declared: taken for unknown" in told.err


def test_check_names_them(seqflow: Seqflow) -> None:
    assert "pitch" in seqflow("check", "toy/pitches").out
