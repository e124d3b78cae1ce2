"""A tiny trained model, recordings as it knows them, and a service that most tests share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import soundfile
from numpy.typing import NDArray
from service import Service

from seqflow.data.synthetic import make_recordings
from seqflow.recipe import load
from seqflow.recipe.data import SyntheticData
from seqflow_cli.main import run

QUICK = [
    *("train.steps=6", "train.warmup=1", "train.batch=4", "train.validate_every=3", "train.log_every=2"),
    *("train.validate_windows=4", "data.recordings=8", "data.seconds=4", "train.threads=1"),
]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of toy/sine, so short that it takes a second."""
    folder = tmp_path_factory.mktemp("runs") / "sine"
    options = [word for key in QUICK for word in ("--set", key)]
    assert run(["train", "toy/sine", "--out", str(folder), "--device", "cpu", *options]) == 0
    return folder


@pytest.fixture(scope="session")
def waves() -> list[NDArray[np.float32]]:
    """Three recordings (T,) at 1 kHz, the last of them with a burst of noise."""
    data = load("toy/sine", ["data.seed=7", "data.recordings=3", "data.seconds=2"]).data
    assert isinstance(data, SyntheticData)
    found = []
    for index, recording in enumerate(make_recordings(data)):
        values = recording.read(0, recording.length).values[0].astype(np.float32)
        if index == 2:
            values[900:1100] += np.random.default_rng(0).standard_normal(200).astype(np.float32)
        found.append(values)
    return found


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, waves: list[NDArray[np.float32]]) -> Path:
    """The recordings in every format."""
    folder = tmp_path_factory.mktemp("files")
    quiet = [0.2 * wave / np.abs(wave).max() for wave in waves]
    soundfile.write(folder / "a.wav", waves[0], 1000, subtype="FLOAT")
    soundfile.write(folder / "burst.wav", waves[2], 1000, subtype="FLOAT")
    soundfile.write(folder / "b.flac", quiet[1], 1000)
    soundfile.write(folder / "c.ogg", 0.5 * np.resize(quiet[1], 16000), 8000)
    np.save(folder / "d.npy", waves[1])
    rows = [f"{value:.9g}" for value in waves[2]]
    (folder / "e.csv").write_text("\n".join(["value", *rows]) + "\n")
    pyarrow.parquet.write_table(pa.table({"value": waves[0]}), folder / "f.parquet")
    soundfile.write(folder / "zero.wav", np.zeros(2000), 1000)
    return folder


@pytest.fixture(scope="session")
def shared(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with small limits."""
    options = [
        *("--workers", "2", "--limit-body", "1", "--limit-body-seconds", "1.5", "--limit-streams", "2"),
        *("--limit-idle", "1.5", "--limit-frame", "20000", "--limit-values", "300000"),
        *("--limit-samples", "1000000", "--limit-memory", "512"),
    ]
    with Service(trained, tmp_path_factory.mktemp("tmp"), *options) as service:
        yield service
        assert not service.uploads()
        assert service.end(15) == 0
        # Children that the tests killed are told of, a line each; nothing else.
        assert all(line.startswith("serve: a process ") for line in service.errors().splitlines())
        assert not list(service.folder.iterdir())


@pytest.fixture
def service(shared: Service) -> Service:
    """The shared service; what it told of before is forgotten."""
    shared.visits()
    return shared


@pytest.fixture(scope="session")
def cli_rows(trained: Path, files: Path) -> dict[str, str]:
    """What `seqflow score --json` says of the files, a line by name; one thread, as a child has."""
    done = subprocess.run(
        [sys.executable, "-m", "seqflow_cli", "score", str(trained), str(files), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    return {json.loads(line)["name"]: line for line in done.stdout.splitlines()}
