"""Runs the command line in this process, as a user would type it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from calls import QUICK, Result, Seqflow

from seqflow.data.synthetic import make_recordings
from seqflow.recipe import load
from seqflow.recipe.data import SyntheticData
from seqflow_cli.main import run


@pytest.fixture
def seqflow(capsys: pytest.CaptureFixture[str]) -> Seqflow:
    def call(*words: object) -> Result:
        capsys.readouterr()
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of toy/sine, so short that it takes a second; its calibration holds blocks."""
    folder = tmp_path_factory.mktemp("runs") / "sine"
    assert run(["train", "toy/sine", "--out", str(folder), *QUICK]) == 0
    return folder


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings as that run knows them, the last of them with a burst of noise."""
    folder = tmp_path_factory.mktemp("recordings")
    data = load("toy/sine", ["data.seed=7", "data.recordings=3", "data.seconds=2"]).data
    assert isinstance(data, SyntheticData)
    for index, recording in enumerate(make_recordings(data)):
        values = recording.read(0, recording.length).values.copy()
        if index == 2:
            values[:, 900:1100] += np.random.default_rng(0).standard_normal(200)
        soundfile.write(folder / f"r{index}.wav", values.T, 1000, subtype="FLOAT")
    return folder
