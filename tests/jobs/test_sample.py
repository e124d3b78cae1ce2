"""Samples in files: as many as asked for, of the form asked for, never with a hole."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from toys import toy_model

from seqflow.errors import ResourceError, UsageError
from seqflow.jobs import room
from seqflow.jobs.sample import file_form, sequence_length, write_samples
from seqflow.model import Model


@pytest.fixture(scope="module")
def machine() -> Model:
    return toy_model("toy/machine", "data.step=0.000030517578125")


@pytest.fixture(scope="module")
def sensor() -> Model:
    layers = "[{kind: dequantize}, {kind: standardize}, {kind: squeeze}, {kind: affine_coupling}]"
    return toy_model("toy/sine", "data.generator=sensor", "data.rate=100.0", f"model.layers={layers}")


def test_audio_becomes_wav_of_the_models_steps_and_rate(machine: Model, tmp_path: Path) -> None:
    made = write_samples(machine, tmp_path, n=2, seconds=0.1)
    assert [path.name for path in made.paths] == ["sample-0001.wav", "sample-0002.wav"]
    for path in made.paths:
        about = soundfile.info(path)
        assert (about.samplerate, about.frames, about.channels) == (8000, 800, 1)
        assert about.subtype == "PCM_16"
    assert not np.array_equal(*(soundfile.read(path)[0] for path in made.paths))
    assert made.figure.stat().st_size > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "sample-0001.wav",
        "sample-0002.wav",
        "samples.png",
    ]


def test_audio_without_a_step_becomes_float(tmp_path: Path) -> None:
    made = write_samples(toy_model("toy/machine"), tmp_path, n=1)
    assert soundfile.info(made.paths[0]).subtype == "FLOAT"


def test_beyond_full_scale_is_cut_and_counted(machine: Model, tmp_path: Path) -> None:
    made = write_samples(machine, tmp_path, n=1, length=2048, temperature=10.0)
    values, _ = soundfile.read(made.paths[0], dtype="int16")
    assert made.beyond > 0
    assert np.count_nonzero((values == 32767) | (values == -32768)) >= made.beyond


def test_sensors_become_tables_and_arrays(sensor: Model, tmp_path: Path) -> None:
    made = write_samples(sensor, tmp_path, n=1, length=130)
    table, array = made.paths
    values = np.load(array, allow_pickle=False)
    assert values.shape == (130, 2) and values.dtype == np.float32
    with table.open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["time", "temperature", "load"]
    assert np.array_equal(np.array(rows, dtype=np.float64)[:, 1:].astype(np.float32), values)
    assert np.allclose(np.array(rows, dtype=np.float64)[:, 0], np.arange(130) / 100.0)
    assert np.array_equal(values, np.round(values * 16) / 16)  # on the lattice of the data


def test_names_of_columns_are_no_formulas(sensor: Model, tmp_path: Path) -> None:
    model = Model(sensor.flow, sensor.recipe, None, ("=cmd()", "load"), None, sensor.step)
    made = write_samples(model, tmp_path, n=1, length=4)
    assert made.paths[0].read_text().splitlines()[0] == "'=cmd(),load"


def test_same_arguments_same_bytes_and_more_begin_with_the_same(machine: Model, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in "abc")
    write_samples(machine, first, n=2, length=512, seed=3)
    write_samples(machine, second, n=3, length=512, seed=3)
    write_samples(machine, third, n=1, length=512, seed=4)
    for name in ("sample-0001.wav", "sample-0002.wav"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (first / "sample-0001.wav").read_bytes() != (third / "sample-0001.wav").read_bytes()


@pytest.mark.parametrize("length", [1, 127, 128, 1000, 20_000])
def test_any_length(machine: Model, tmp_path: Path, length: int) -> None:
    made = write_samples(machine, tmp_path, n=1, length=length)
    assert soundfile.info(made.paths[0]).frames == length == made.length


def test_what_is_left_out_is_the_recipes(machine: Model, tmp_path: Path) -> None:
    made = write_samples(machine, tmp_path)
    assert (made.n, made.length, made.temperature) == (2, 256, 1.0)
    assert sequence_length(toy_model("toy/sine", "sample.seconds=2"), None, None) == 2000
    assert sequence_length(toy_model("toy/sine", "sample.seconds=2"), 6, None) == 6


def test_progress(machine: Model, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_samples(machine, tmp_path, n=3, on_progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


class Failing(torch.nn.Module):
    """The bijection of a flow, with a NaN in the first `times` inverses."""

    def __init__(self, inner: torch.nn.Module, times: int) -> None:
        super().__init__()
        self.inner = inner
        self.left = [times]

    def __deepcopy__(self, memo: object) -> Failing:
        return self

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        return self.inner.output_shape(channels, length)

    def inverse(self, z: torch.Tensor, context: object = None) -> tuple[torch.Tensor, torch.Tensor]:
        x, log_det = self.inner.inverse(z, context)
        self.left[0] -= 1
        return (x * torch.nan if self.left[0] >= 0 else x), log_det


def failing_model(times: int) -> Model:
    model = toy_model("toy/machine")
    model.flow.bijection = Failing(model.flow.bijection, times)
    model.flow.double()
    return model


def test_what_is_not_finite_is_drawn_again_and_counted(tmp_path: Path) -> None:
    made = write_samples(failing_model(3), tmp_path, n=2)
    assert made.redrawn == 3
    for path in made.paths:
        assert np.isfinite(soundfile.read(path)[0]).all()


def test_a_model_that_never_gives_a_finite_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not finite"):
        write_samples(failing_model(1000), tmp_path, n=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"n": 0}, "at least 1"),
        ({"length": 0}, "at least 1"),
        ({"length": 8, "seconds": 1.0}, "leave one out"),
        ({"seconds": 1e-9}, "not one sample"),
        ({"seconds": float("nan")}, "not one sample"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_range(machine: Model, tmp_path: Path, arguments: dict, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        write_samples(machine, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_seconds_need_a_rate(sensor: Model, tmp_path: Path) -> None:
    model = Model(sensor.flow, sensor.recipe, None, (), None, None)
    assert file_form(model) == "table"
    with pytest.raises(UsageError, match="no rate"):
        write_samples(model, tmp_path, seconds=1.0)


def test_a_file_in_the_way_of_the_folder(machine: Model, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ResourceError):
        write_samples(machine, tmp_path / "out")


def test_what_has_no_room_is_refused_before_any_work(
    machine: Model, sensor: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in (machine, sensor):
        with pytest.raises(ResourceError, match=r"samples: 1000000000000 of length .* take at least .*"):
            write_samples(model, tmp_path / "out", n=10**12)
        with pytest.raises(ResourceError, match="of memory, this machine has"):
            write_samples(model, tmp_path / "out", n=1, length=10**14)
    monkeypatch.setattr(room, "memory", lambda: 1 << 80)
    with pytest.raises(ResourceError, match=r"out: 1000000000000 sequences of 64 samples take about .* TiB"):
        write_samples(machine, tmp_path / "out", n=10**12, length=64)
    assert not list(tmp_path.iterdir())
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    room.check_disk(tmp_path, 1, free // 2, "files")
    with pytest.raises(ResourceError, match="1 files take about"):
        room.check_disk(tmp_path, 1, free + (1 << 40), "files")
