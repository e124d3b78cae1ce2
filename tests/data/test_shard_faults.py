"""Shards that someone made up, or that go while they are read: one line, and nothing large is made."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf

from seqflow.data.shard_format import HEADER, INDEX, shard_name
from seqflow.data.split import split_recordings
from seqflow.errors import InputError
from seqflow.files import sha256
from seqflow.jobs.pack import pack
from seqflow.recipe import Recipe


def recipe(root: Path, **data: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "test/faults",
            "data": {"kind": "audio", "root": str(root), "window": 50, **data},
            "model": {"layers": [{"kind": "standardize"}]},
        }
    )


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of eight recordings, some of them in more than one piece, in several shards."""
    root = tmp_path_factory.mktemp("faults")
    (root / "loose").mkdir()
    for i in range(8):
        values = 0.1 * np.random.default_rng(i).standard_normal(60_000 if i == 3 else 900)
        sf.write(root / f"loose/{i}.wav", values, 8000)
    pack(recipe(root / "loose"), root / "shards", shard_mb=1)
    return root / "shards"


@pytest.fixture
def shards(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "shards"))


def rewrite(root: Path, change: Callable[[list[dict[str, Any]]], Any], **options: Any) -> None:
    """Another index, and a header that vouches for it."""
    with pa.ipc.open_file(pa.BufferReader((root / INDEX).read_bytes())) as reader:
        table = reader.read_all()
    rows = table.to_pylist()
    change(rows)
    with pa.ipc.new_file(root / INDEX, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(pa.Table.from_pylist(rows, table.schema))
    vouch(root)


def vouch(root: Path) -> None:
    header = json.loads((root / HEADER).read_text())
    header["index"] = {"size": (root / INDEX).stat().st_size, "sha256": sha256(root / INDEX)}
    (root / HEADER).write_text(json.dumps(header))


def row(key: str, value: object, number: int = 2) -> Callable[[list[dict[str, Any]]], None]:
    return lambda rows: rows[number].update({key: value})


def piece(key: str, value: object) -> Callable[[list[dict[str, Any]]], None]:
    return lambda rows: rows[2]["pieces"][0].update({key: value})


def refused(root: Path, **data: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        split_recordings(recipe(root, **data))
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("; copy it anew, or pack anew")
    return caught.value


def test_the_index_that_was_written_again_is_taken(shards: Path) -> None:
    rewrite(shards, lambda rows: None)
    assert len(split_recordings(recipe(shards)).train) > 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (row("name", b"../x.wav"), "names that no file below a folder has"),
        (row("name", b"/x.wav"), "names that no file below a folder has"),
        (row("name", b"2/../x.wav"), "names that no file below a folder has"),
        (row("name", b"2//x.wav"), "names that no file below a folder has"),
        (row("name", b"2\0.wav"), "names that no file below a folder has"),
        (row("name", b""), "names that no file below a folder has"),
        (row("name", None), "has rows without name"),
        (row("name", b"1.wav"), "names that are there twice, or not in order"),
        (row("name", b"0.wav"), "names that are there twice, or not in order"),
        (row("stretch", 2), "names that are there twice, or not in order"),
        (row("stretch", -1), "names that are there twice, or not in order"),
        (row("length", -1), "numbers that no recording has"),
        (row("length", 1 << 60), "numbers that no recording has"),
        (row("length", 10), "names samples that no shard holds"),
        (row("start", -4), "numbers that no recording has"),
        (row("channels", 0), "numbers that no recording has"),
        (row("channels", 1 << 30), "numbers that no recording has"),
        (row("channels", 700), "names samples that no shard holds"),
        (row("rate", -8000.0), "numbers that no recording has"),
        (row("rate", float("inf")), "numbers that no recording has"),
        (row("step", 0.0), "numbers that no recording has"),
        (row("size", -1), "numbers that no recording has"),
        (row("kind", "video"), "there is no 'video'"),
        (row("kind", None), "has rows without kind"),
        (row("channel_names", ["a", "b"]), "names other channels than there are"),
        (row("declared", "[" * 9000), "declares what is no text"),
        (row("declared", '{"columns": {"a": 1}}'), "declares what is no text"),
        (row("declared", "3"), "declares what is no text"),
        (piece("shard", 99), "names samples that no shard holds"),
        (piece("shard", -1), "names samples that no shard holds"),
        (piece("shard", None), "has pieces that lie nowhere"),
        (piece("samples", -8), "names samples that no shard holds"),
        (piece("samples", 1 << 40), "names samples that no shard holds"),
        (piece("samples", (1 << 63) - 1), "names samples that no shard holds"),
        (piece("labels", 1 << 50), "names samples that no shard holds"),
        (piece("labels", -2), "names samples that no shard holds"),
        (piece("begin", 5), "names samples that no shard holds"),
        (piece("frames", 0), "names samples that no shard holds"),
        (piece("frames", 1 << 62), "names samples that no shard holds"),
        (piece("type", 3), "names samples that no shard holds"),
        (piece("type", -1), "names samples that no shard holds"),
        (lambda rows: rows[2].update(pieces=rows[1]["pieces"]), "names samples that no shard holds"),
        (lambda rows: rows[2]["pieces"].append(rows[2]["pieces"][0]), "names samples that no shard holds"),
        (lambda rows: rows.clear(), "numbers that no recording has"),
        (lambda rows: rows.reverse(), "names that are there twice, or not in order"),
    ],
)
def test_an_index_that_someone_made_up(
    shards: Path, change: Callable[[list[dict[str, Any]]], Any], text: str
) -> None:
    rewrite(shards, change)
    error = refused(shards)
    assert (error.code, error.path) == ("corrupt", str(shards / INDEX))
    assert text in str(error)


def test_what_arrow_would_unpack_is_not_unpacked(shards: Path) -> None:
    rewrite(shards, row("detail", "x" * (10 << 20)), compression="zstd")
    assert (shards / INDEX).stat().st_size < 1 << 20
    assert "holds what packing does not write" in str(refused(shards))


@pytest.mark.parametrize("number", range(40))
def test_bytes_changed_at_random_are_an_error_or_change_nothing(shards: Path, number: int) -> None:
    content = bytearray((shards / INDEX).read_bytes())
    rng = np.random.default_rng(number)
    # Mostly in the heads of the messages, which say how much there is.
    for at in rng.integers(0, len(content) if number % 4 == 0 else 4000, 1 + number % 5).tolist():
        content[at % len(content)] = int(rng.integers(0, 256))
    (shards / INDEX).write_bytes(content)
    vouch(shards)
    try:
        parts = split_recordings(recipe(shards))
        for recording in (*parts.train, *parts.valid, *parts.calibration):
            recording.read(0, 100)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("body", [1 << 62, -1, 1 << 33, 255 << 20])
def test_a_message_that_claims_to_be_large(shards: Path, body: int) -> None:
    content = bytearray((shards / INDEX).read_bytes())
    # The length of the body is a field of 8 bytes in the head of the first batch.
    (head,) = struct.unpack_from("<i", content, 12)
    second = 16 + head
    (root,) = struct.unpack_from("<I", content, second + 8)
    table = second + 8 + root
    vtable = table - struct.unpack_from("<i", content, table)[0]
    place = table + struct.unpack_from("<H", content, vtable + 4 + 2 * 3)[0]
    struct.pack_into("<q", content, place, body)
    (shards / INDEX).write_bytes(content)
    vouch(shards)
    assert refused(shards).code == "corrupt"


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(shards=[-1]),
        lambda header: header.update(shards=[1 << 80]),
        lambda header: header.update(shards="99"),
        lambda header: header.update(index={"size": -1, "sha256": ""}),
        lambda header: header.update(data=[1, 2]),
        lambda header: header.pop("sidecar"),
    ],
)
def test_a_header_that_someone_made_up(shards: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    header = json.loads((shards / HEADER).read_text())
    change(header)
    (shards / HEADER).write_text(json.dumps(header))
    refused(shards)


def test_a_header_that_is_too_large_or_too_deep(shards: Path) -> None:
    (shards / HEADER).write_text("[" * 200_000)
    assert refused(shards).code == "corrupt"
    (shards / HEADER).write_text(" " * (17 << 20))
    with pytest.raises(InputError, match=r"shards\.json: too_large: has more than "):
        split_recordings(recipe(shards))


def test_a_shard_that_is_cut_or_written_to_while_it_is_read(shards: Path) -> None:
    train = split_recordings(recipe(shards, split={"valid": 0.0, "calibration": 0.0})).train
    assert (train[0].name, train[3].name) == ("0.wav", "3.wav")
    whole = train[3].read(0, 60_000).values
    path = shards / shard_name(0)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))  # the same bytes
    assert (train[3].read(40_000, 100).values == whole[:, 40_000:40_100]).all()
    with path.open("r+b") as file:
        at = path.read_bytes().index(np.rint(whole[0, 100:120] * 2**15).astype("<i2").tobytes())
        file.seek(at)
        file.write(b"\1")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 2_000_000))
    with pytest.raises(InputError, match=r"shard-00000\.arrow: corrupt: the samples of 3\.wav are not as"):
        train[3].read(40_000, 100)
    os.truncate(path, 1000)
    with pytest.raises(InputError, match=r"shard-00000\.arrow: truncated: has 1000 bytes"):
        train[0].read(0, 10)


def test_a_shard_that_goes_before_it_is_read(shards: Path) -> None:
    train = split_recordings(recipe(shards)).train
    sent = pickle.loads(pickle.dumps(train))  # noqa: S301
    (shards / shard_name(0)).unlink()
    with pytest.raises(InputError, match=r"shard-00000\.arrow: unreadable: cannot be read: No such file"):
        sent[0].read(0, 10)
