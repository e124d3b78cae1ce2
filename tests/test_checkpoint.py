"""A checkpoint is read back as it was written, or refused with the reason."""

from __future__ import annotations

import errno
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from seqflow import checkpoint
from seqflow.checkpoint import read_checkpoint, write_checkpoint
from seqflow.errors import CheckpointError, ResourceError

META = {"format": "seqflow-model", "note": 'π " \\ \n', "figures": {"a": [1, 2.5, None, True]}}


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        "weight": torch.randn(3, 4).t(),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "flags": torch.tensor([True, False]),
        "state": torch.arange(7, dtype=torch.uint8),
        "half": torch.randn(5).bfloat16(),
        "big": torch.tensor([1 << 60]),
        "grad": torch.randn(2, requires_grad=True),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, tensors(), META)
    return path


def refused(path: Path, match: str, expect: str | None = None) -> None:
    with pytest.raises(CheckpointError, match=match) as caught:
        read_checkpoint(path, expect)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text


def test_read_gives_what_was_written(file: Path) -> None:
    found, meta = read_checkpoint(file, "seqflow-model")
    expected = tensors()
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
        assert not found[name].requires_grad
    assert meta == META


def test_equal_content_gives_equal_bytes(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.safetensors"
    write_checkpoint(other, dict(reversed(tensors().items())), META)
    assert other.read_bytes() == file.read_bytes()


def test_tensors_may_share_memory(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    write_checkpoint(tmp_path / "a", {"whole": whole, "part": whole[2:4], "again": whole}, META)
    found, _ = read_checkpoint(tmp_path / "a")
    assert torch.equal(found["part"], whole[2:4])
    assert torch.equal(found["again"], whole)


def test_other_libraries_can_read_it(file: Path) -> None:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        assert torch.equal(opened.get_tensor("weight"), tensors()["weight"])


def test_any_flipped_bit_is_noticed(file: Path) -> None:
    good = file.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    rng = random.Random(0)
    # Every bit of the length and of the first bytes, and many of the rest.
    bits = [*range(8 * 8), *rng.sample(range(64, 8 * header), 400), *range(8 * header, 8 * len(good), 3)]
    for bit in bits:
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bad)
        with pytest.raises(CheckpointError):
            read_checkpoint(file)


def test_a_damaged_tensor_is_named(file: Path) -> None:
    bad = bytearray(file.read_bytes())
    bad[-1] ^= 1
    file.write_bytes(bad)
    refused(file, r"damaged: tensor \w+ does not fit")


def test_any_cut_is_noticed(file: Path) -> None:
    good = file.read_bytes()
    for size in [*range(0, len(good), 37), len(good) - 1]:
        file.write_bytes(good[:size])
        refused(file, "empty|cut short|not a checkpoint")
    file.write_bytes(good + b"\0")
    refused(file, "1 bytes too many")


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(data)
    refused(path, "empty|not a checkpoint|pickle")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    import os

    refused(tmp_path, "is not a file")
    refused(tmp_path / "absent", "no such file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is not a file")
    refused(tmp_path / ("n" * 300), "cannot be read")


def test_pickles_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(tensors(), path)
    refused(path, "pickle.*never loaded")
    torch.save(tensors(), path, _use_new_zipfile_serialization=False)
    refused(path, "pickle.*never loaded")
    path.write_text("layers: [1, 2]\n" * 50)
    refused(path, "not a checkpoint of seqflow")
    save_file({"a": torch.zeros(100)}, path)
    refused(path, "not a checkpoint of seqflow")
    save_file({"a": torch.zeros(100)}, path, {"seqflow": "{" + " " * 200 + "}"})
    refused(path, "not a checkpoint of seqflow")


def crafted(path: Path, header: bytes, size: int = 0) -> None:
    """A file whose header has a digest that fits, as someone who means harm would make it."""
    header = checkpoint._START + b"0" * 64 + header
    blob = bytearray(len(header).to_bytes(8, "little") + header)
    at = 8 + checkpoint._DIGEST.start
    blob[at : at + 64] = hashlib.sha256(blob).hexdigest().encode()
    with path.open("wb") as file:
        file.write(blob)
        file.truncate(len(blob) + size)


def wrap(meta: dict[str, Any], entries: dict[str, Any]) -> bytes:
    """The end of a header behind its digest."""
    text = json.dumps(json.dumps({"digest": "", **meta}))
    begin = text.index('\\"digest\\":') + len('\\"digest\\": \\"')
    return (text[begin:] + "}," + json.dumps(entries)[1:]).encode()


def test_bombs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    good = {"version": 1, "format": "seqflow-model", "digests": {"a": ""}}
    crafted(path, b'\\"}"},"a":' + b"[" * 1_000_000)
    refused(path, "makes no sense")
    crafted(path, b'\\",\\"a\\":' + b"[" * 1_000_000 + b'"}}')
    refused(path, "makes no sense")
    crafted(path, b'\\"}"},"a":' + b"9" * 1_000_000 + b"}")
    refused(path, "makes no sense")
    crafted(path, wrap(good, {"a": {"dtype": "F32", "shape": [1 << 50], "data_offsets": [0, 1 << 52]}}))
    refused(path, "cut short")
    crafted(path, wrap(good, {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 8]}}), 8)
    refused(path, "damaged")
    crafted(path, wrap(good, {"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}), 8)
    refused(path, "damaged")
    crafted(path, wrap(good, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, "8"]}}), 8)
    refused(path, "makes no sense")
    crafted(
        path, wrap({**good, "digests": 3}, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}), 8
    )
    refused(path, "not those it names")
    crafted(path, b"", 1 << 40)  # sparse: takes no room
    refused(path, "the most that is read")
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{" * 1000)
    refused(path, "not a checkpoint")


def test_another_version_or_kind_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    refused(file, "is a model, not the state of a training", "seqflow-training")
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    write_checkpoint(tmp_path / "new", tensors(), META)
    monkeypatch.undo()
    refused(tmp_path / "new", "version 2, this program reads 1")


def test_nan_and_unknown_formats_are_the_caller_s_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_checkpoint(tmp_path / "a", {}, {**META, "x": float("nan")})
    with pytest.raises(ValueError, match="unknown format"):
        write_checkpoint(tmp_path / "a", {}, {"format": "other"})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(file: Path) -> None:
    """A real limit on the size of files, which the kernel enforces as it does a full disk."""
    before = file.read_bytes()
    code = f"""
import resource, sys
from pathlib import Path
import torch
from seqflow.checkpoint import write_checkpoint
from seqflow.errors import ResourceError
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
try:
    write_checkpoint(Path({str(file)!r}), {{"a": torch.zeros(100000)}}, {{"format": "seqflow-model"}})
except ResourceError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == ResourceError.exit_code
    assert str(file) in done.stdout
    assert "no space left" in done.stdout
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("when", ["write", "sync"])
def test_a_disk_that_fills_up_at_any_moment(file: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    before = file.read_bytes()

    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync" if when == "sync" else "os.open", full)
    with pytest.raises(ResourceError, match="no space left"):
        write_checkpoint(file, {"a": torch.zeros(3)}, META)
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_kill_during_a_save_leaves_a_whole_file(file: Path) -> None:
    """Processes that save again and again are killed; what lies there is always whole."""
    code = f"""
import itertools
from pathlib import Path
import torch
from seqflow.checkpoint import write_checkpoint
for i in itertools.count():
    write_checkpoint(Path({str(file)!r}), {{"a": torch.full((200000,), i)}}, {{"format": "seqflow-model"}})
    print(i, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    time.sleep(random.Random(time.time_ns()).random() * 0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    found, _ = read_checkpoint(file)
    value = int(found["a"][0])
    assert value >= 2
    assert bool((found["a"] == value).all())
