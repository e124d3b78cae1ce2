"""NumPy arrays: read in place, whatever their type and order; nothing hostile is ever loaded."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.recording import Recording
from seqflow.data.series import open_series
from seqflow.errors import InputError
from seqflow.recipe.data import SeriesData


def save(folder: Path, array: Any, sidecar: Any = None) -> Path:
    path = folder / "file.npy"
    np.save(path, array)
    if sidecar is not None:
        text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
        path.with_suffix(".json").write_text(text, encoding="utf-8")
    return path


def one(path: Path, names: tuple[str, ...] | None = None, strict: bool = False, **keys: Any) -> Recording:
    config = SeriesData(kind="series", root=".", window=16, **keys)
    (recording,) = open_series(path, name=path.stem, config=config, names=names, strict=strict)
    return recording


def fault(path: Path, names: tuple[str, ...] | None = None, strict: bool = False, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        one(path, names, strict, **keys)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)
    return caught.value


@settings(deadline=None, max_examples=60)
@given(
    shape=st.sampled_from([(1,), (37,), (37, 1), (37, 3), (1, 2)]),
    dtype=st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<f2", "i1", "u1", "<i2", ">i2", "<u4", "<i8", "?"]),
    fortran=st.booleans(),
    start=st.integers(0, 40),
    frames=st.integers(0, 40),
)
def test_a_read_is_a_slice_of_the_array(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    dtype: str,
    fortran: bool,
    start: int,
    frames: int,
) -> None:
    array = (np.random.default_rng(0).integers(0, 100, shape)).astype(dtype)
    array = np.asfortranarray(array) if fortran else array
    recording = one(save(tmp_path_factory.mktemp("npy"), array))
    expected = array.reshape(len(array), -1).T.astype(np.float64)
    assert (recording.length, recording.channels) == (len(array), len(expected))
    assert recording.channel_names == tuple(map(str, range(len(expected))))
    block = recording.read(start, frames)
    assert block.values.dtype == (
        np.float64 if array.dtype.itemsize * (array.dtype.kind != "f") > 2 or "f8" in dtype else np.float32
    )
    np.testing.assert_array_equal(block.values, expected[:, start : start + frames])
    assert block.mask.shape == block.values.shape
    assert block.mask.all()
    joined = [block.values for block in recording.blocks(10)]
    np.testing.assert_array_equal(np.concatenate(joined, axis=1), expected)


def test_missing_samples_stay_where_they_are(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(6, 2)
    array[2, 0], array[4, 1] = np.nan, -np.inf
    path = save(tmp_path, array)
    block = one(path).read(1, 4)
    assert block.mask.tolist() == [[True, False, True, True], [True, True, True, False]]
    assert block.values.tolist() == [[2.0, 0.0, 6.0, 8.0], [3.0, 5.0, 7.0, 0.0]]
    mono = one(path, channels="mono")
    assert (mono.channels, mono.channel_names) == (1, ())
    assert mono.read(1, 4).mask.tolist() == [[True, False, True, False]]
    assert mono.read(1, 4).values.tolist() == [[2.5, 0.0, 6.5, 0.0]]
    error = fault(path, missing="refuse")
    assert error.code == "nonfinite"
    assert "row 3, column '0'" in error.detail
    assert "row 3" in fault(path, missing="refuse", channels="mono").detail
    assert "row 5, column '1'" in fault(path, missing="refuse", channels=[1]).detail


def test_dead_channels_can_be_read(tmp_path: Path) -> None:
    array = np.zeros((50, 3))
    array[:, 1], array[:, 2] = np.nan, 7.25
    recording = one(save(tmp_path, array))
    block = recording.read(0, 50)
    assert block.mask.all(axis=1).tolist() == [True, False, True]
    assert not block.mask[1].any()
    assert recording.step is None


def test_the_sidecar_gives_rate_and_names(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    path = save(
        tmp_path, array, {"fs": 360.0, "channels": ["MLII", "V5"], "unit": ["mV", "mV"], "beat": [1, 2]}
    )
    recording = one(path)
    assert (recording.rate, recording.channel_names) == (360.0, ("MLII", "V5"))
    swapped = one(path, names=("V5", "MLII"))
    np.testing.assert_array_equal(swapped.read(0, 40).values, array.T[::-1])
    assert one(path, channels=["V5"]).channel_names == ("V5",)
    assert one(path, rate=360.5).rate == 360.5
    assert fault(path, rate=250.0).code == "wrong_rate"
    assert fault(path, names=("MLII", "V1")).code == "wrong_channels"
    assert one(save(tmp_path, array, {"fs": 250, "sig_name": ["I", "II"]})).channel_names == ("I", "II")
    assert one(save(tmp_path, array, {"fs": 250, "channels": 2})).channel_names == ("0", "1")


def test_an_array_without_names_fits_a_model_by_position(tmp_path: Path) -> None:
    path = save(tmp_path, np.zeros((9, 2)))
    assert one(path, names=("a", "b")).channel_names == ("a", "b")
    assert one(path, names=("1",)).channel_names == ("1",)
    assert fault(path, names=("a", "b", "c")).code == "wrong_channels"


def test_an_array_without_names_fits_a_model_by_the_channels_that_its_recipe_numbers(tmp_path: Path) -> None:
    array = np.arange(27.0).reshape(9, 3)
    path = save(tmp_path, array)
    first = one(path, channels="first", names=("MLII",))
    assert first.channel_names == ("MLII",)
    np.testing.assert_array_equal(first.read(0, 9).values, array.T[:1])
    swapped = one(path, channels=[2, 0], names=("a", "b"))
    np.testing.assert_array_equal(swapped.read(0, 9).values, array.T[[2, 0]])
    assert fault(path, channels=[3], names=("a",)).code == "wrong_channels"
    assert fault(path, channels=["a"], names=("a",)).code == "wrong_channels"


def test_time_and_label_among_the_columns(tmp_path: Path) -> None:
    array = np.array([[0.0, 5, 0], [0.5, 6, 1], [1.5, 7, 0], [2.0, 8, 1]])
    path = save(tmp_path, array, {"channels": ["t", "x", "Label"]})
    recording = one(path, label="Label", irregular="mask")
    assert recording.channel_names == ("x",)
    assert recording.rate == 2.0
    assert recording.read(0, 9).mask.tolist() == [[True, True, False, True, True]]
    labels = recording.labels()
    assert labels is not None
    assert labels.tolist() == [False, True, False, False, True]
    assert "row 3" in fault(path, label="Label").detail
    in_place = one(path, label="Label", time=None)
    assert in_place.channel_names == ("t", "x")
    assert in_place.labels().tolist() == [False, True, False, True]  # type: ignore[union-attr]
    assert fault(save(tmp_path, array, {}), time="t").code == "missing_column"


@pytest.mark.parametrize(
    "sidecar",
    [
        "[" * 200_000,
        '{"a":' * 200_000,
        '{"fs": ' + "9" * 10_000 + "}",
        '{"fs": ' + "9" * 400 + "}",
        " " * (5 << 20),
        '{"fs": -1}',
        '{"fs": NaN}',
        '{"fs": "fast"}',
        '{"fs": true}',
        '{"channels": [1, 2]}',
        '{"channels": ["a"]}',
        "[1]",
        "not json",
        "\ud800",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_sidecars_are_refused_at_once(tmp_path: Path, sidecar: str) -> None:
    path = save(tmp_path, np.zeros((9, 2)))
    path.with_suffix(".json").write_bytes(sidecar.encode("utf-8", "surrogatepass"))
    start = time.monotonic()
    assert fault(path).code in {"sidecar", "wrong_channels"}
    assert time.monotonic() - start < 5.0


def test_a_sidecar_that_is_a_pipe_is_never_opened(tmp_path: Path) -> None:
    path = save(tmp_path, np.zeros(9))
    os.mkfifo(path.with_suffix(".json"))
    assert fault(path).code == "sidecar"


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("was-run",))


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.array([Bomb()], dtype=object), "not_numeric"),
        (np.array(["a", "b"]), "not_numeric"),
        (np.zeros(4, dtype=complex), "not_numeric"),
        (np.zeros(4, dtype=[("a", "f4")]), "not_numeric"),
        (np.array(["2024-01-01"], dtype="M8[s]"), "not_numeric"),
        (np.float64(3), "wrong_shape"),
        (np.zeros((2, 3, 4)), "wrong_shape"),
        (np.zeros(0), "empty"),
        (np.zeros((0, 2)), "empty"),
        (np.zeros((3, 0)), "empty"),
        (np.zeros((2, 9999)), "too_large"),
    ],
)
def test_arrays_that_are_no_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: Any, code: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "file.npy", array, allow_pickle=True)
    assert fault(tmp_path / "file.npy").code == code
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x07\x00" + bytes(100),
        b"RIFF" + bytes(100),
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 15 + b"\n",
        pickle.dumps([1, 2, 3]),
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"(" * 100,
    ],
)
def test_damaged_headers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.npy"
    path.write_bytes(content)
    assert fault(path).code == "corrupt"


def test_a_message_is_the_same_every_time(tmp_path: Path) -> None:
    path = tmp_path / "file.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00\x10\x00" + b"print('a' + 'b')\n")
    assert fault(path).code == "corrupt" and " at 0x" not in fault(path).detail


@settings(deadline=None, max_examples=100)
@given(
    cuts=st.lists(
        st.tuples(st.integers(6, 130), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3
    )
)
def test_damage_ends_in_a_recording_or_a_named_fault(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, bytes]]
) -> None:
    path = save(tmp_path_factory.mktemp("npy"), np.arange(20.0).reshape(10, 2))
    content = path.read_bytes()
    for place, length, new in cuts:
        content = content[:place] + new + content[place + length :]
    path.write_bytes(content)
    try:
        recording = one(path)
    except InputError as error:
        assert error.code
        assert "\n" not in str(error)
    else:
        assert recording.read(0, 99).values.shape == (recording.channels, recording.length)


def test_a_header_that_promises_more_than_the_file_holds(tmp_path: Path) -> None:
    path = save(tmp_path, np.arange(20, dtype=np.float32).reshape(10, 2))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    recording = one(path)
    assert (recording.length, recording.status) == (7, "truncated")
    assert "7 of 10 rows" in recording.detail
    assert recording.read(0, 99).values[1].tolist() == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0]
    assert fault(path, strict=True).code == "truncated"
    path.write_bytes(whole[:130])
    assert fault(path).code == "truncated"
    np.save(path, np.asfortranarray(np.zeros((10, 2))))
    path.write_bytes(path.read_bytes()[:-8])
    assert fault(path).code == "truncated"
    # A length that no machine holds.
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**15, 2)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(80))
    assert (one(path).length, one(path).status) == (10, "truncated")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = save(tmp_path, np.zeros((1000, 2)))
    recording = one(path)
    content = path.read_bytes()
    path.write_bytes(content + bytes(160))
    assert recording.read(990, 100).values.shape == (2, 10)
    path.write_bytes(content[:-80])
    with pytest.raises(InputError, match="truncated"):
        recording.read(990, 10)
    path.unlink()
    with pytest.raises(InputError, match="unreadable"):
        recording.read(0, 10)


def test_workers_open_the_file_themselves(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(100_000, 2))
    recording = one(save(tmp_path, array), channels=[1])
    sent = pickle.dumps(recording)
    assert len(sent) < 2000
    np.testing.assert_array_equal(pickle.loads(sent).read(50, 20).values, array[50:70, 1:].T)  # noqa: S301


@pytest.mark.parametrize("length", [1, 15, 16, 17])
def test_lengths_around_a_window(tmp_path: Path, length: int) -> None:
    recording = one(save(tmp_path, np.ones(length, dtype=np.int16)))
    assert recording.length == length
    assert [block.values.shape[1] for block in recording.blocks(16)] == [
        n for n in (min(length, 16), length - 16) if n > 0
    ]
