"""Recordings out of shards are those of the files, to the bit, and damage is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
import torch

from seqflow.data.dataset import Windows
from seqflow.data.recording import Recording
from seqflow.data.shard_format import HEADER, INDEX, shard_name
from seqflow.data.split import Parts, split_recordings
from seqflow.errors import InputError, NothingUsableError, UsageError
from seqflow.jobs.pack import Packed, pack
from seqflow.recipe import Recipe

PARTS = ("train", "valid", "calibration", "test")


def recipe(root: Path, kind: str, **data: Any) -> Recipe:
    split = {"valid": 0.2, "calibration": 0.2}
    return Recipe.model_validate(
        {
            "name": "test/shards",
            "data": {"kind": kind, "root": str(root), "window": 50, "split": split, **data},
            "model": {"layers": [{"kind": "standardize"}]},
        }
    )


def sounds(root: Path) -> Path:
    """Audio of every type that is stored in another way, in folders, one of them stereo and one silent."""
    rng = np.random.default_rng(0)
    for i, (name, subtype) in enumerate(
        [
            ("a/16.wav", "PCM_16"),
            ("a/8.wav", "PCM_U8"),
            ("b/24.flac", "PCM_24"),
            ("b/32.wav", "PCM_32"),
            ("b/float.wav", "FLOAT"),
            ("b/double.wav", "DOUBLE"),
            ("b/lossy.ogg", "VORBIS"),
            ("c/short.wav", "PCM_16"),
            ("c/silent.wav", "PCM_16"),
        ]
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = 0.2 * rng.standard_normal(30 if "short" in name else 3000 + 100 * i).clip(-4, 4)
        values[10:12] = 0.0, -0.0
        sf.write(path, 0.0 * values if "silent" in name else values, 8000, subtype=subtype)
    with (root / "b/float.wav").open("r+b") as file:  # a missing sample
        file.seek(-4 * 50, 2)
        file.write(np.float32(np.nan).tobytes())
    sf.write(root / "two.wav", 0.1 * rng.standard_normal((3000, 2)), 8000)
    (root / "b/24.json").write_text('{"load": 3}')
    return root


def tables(root: Path) -> Path:
    """Series with gaps, labels, missing values, columns in another order; and an array with its rate."""
    root.mkdir()
    rng = np.random.default_rng(1)
    for k in range(5):
        n = 400
        seconds = np.arange(n) * 0.1 + (np.arange(n) > 250) * 30.0 * (k == 2)
        values = np.round(rng.standard_normal((n, 2)), 3 if k else 9)
        order = ("left,right", "right,left")[k == 3]
        rows = [
            f"{t:.1f},{'' if (k, i) == (1, 70) else a},{b},{int(i == 9)}"
            for i, (t, (a, b)) in enumerate(zip(seconds, values, strict=True))
        ]
        (root / f"{k}.csv").write_text(f"time,{order},odd\n" + "\n".join(rows) + "\n")
    np.save(root / "array.npy", rng.integers(-900, 900, (300, 3)).astype(np.int16))
    told = {"fs": 10, "channels": ["left", "right", "odd"]}
    (root / "array.json").write_text(json.dumps(told))
    return root


SERIES: dict[str, Any] = {"label": "odd", "irregular": "split", "rate": 10.0}


def packed(made: Recipe, out: Path, **options: Any) -> tuple[Recipe, Packed]:
    """The recipe with its root at the shards, and what packing said."""
    done = pack(made, out, **options)
    data = made.data.model_copy(update={"root": str(out)})
    return made.model_copy(update={"data": data}), done


def assert_same(one: Recording, other: Recording, root: Path) -> None:
    # Resampled sound is what it is to the bit where it is read as a whole, as a cache does.
    exact = one.rate != 7000.0
    keys = "name kind channels channel_names rate step length start status detail conditions"
    for key in keys.split():
        assert getattr(one, key) == getattr(other, key), (one.name, key)
    assert other.path == str(root / one.name.partition("#")[0])
    rng = np.random.default_rng(0)
    spans = [(0, one.length), (0, 1), (one.length - 1, 5), (one.length, 3), (one.length + 7, 3)]
    spans += [(int(start), int(n)) for start, n in rng.integers(1, one.length, (20, 2))]
    for start, frames in spans:
        if start >= one.length:
            assert other.read(start, frames).values.shape == (one.channels, 0)
            continue
        here, there = one.read(start, frames), other.read(start, frames)
        assert here.values.dtype == there.values.dtype
        if exact or (start, frames) == (0, one.length):
            assert here.values.tobytes() == there.values.tobytes(), (one.name, start, frames)
        else:
            np.testing.assert_allclose(here.values, there.values, atol=1e-6)
        assert (here.mask == there.mask).all() and here.mask.shape == there.mask.shape
    if one.labels() is None:
        assert other.labels() is None
    else:
        assert (one.labels() == other.labels()).all()  # type: ignore[union-attr]


def assert_same_parts(loose: Parts, shards: Parts, root: Path) -> None:
    assert loose.fingerprint == shards.fingerprint
    assert (loose.rate, loose.channels, loose.channel_names) == (
        shards.rate,
        shards.channels,
        shards.channel_names,
    )
    for part in PARTS:
        ours, theirs = getattr(loose, part), getattr(shards, part)
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, root)
    assert sorted(error.code for error in loose.skipped) == sorted(error.code for error in shards.skipped)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"split": {"by": "time", "valid": 0.1, "calibration": 0.1, "train_end": 0.8}},
        {"split": {"test": ["a/*"], "valid": ["b/l*"], "calibration": 0.2}, "exclude": ["b/32.wav"]},
        {"split": {"group": "^(.)/", "valid": 0.3, "calibration": 0.3}, "short": "pad"},
        {"rate": 7000.0, "channels": "mono"},
        {"conditions": {"where": {"path": "^([ab])/"}}},
    ],
    ids=["plain", "time", "globs", "groups", "resampled", "conditions"],
)
def test_audio(tmp_path: Path, keys: dict[str, Any]) -> None:
    loose = recipe(sounds(tmp_path / "loose"), "audio", **keys)
    shards, done = packed(loose, tmp_path / "shards")
    assert (done.recordings, done.shards, done.left_out) == (10 - ("exclude" in keys), 1, ())
    assert_same_parts(split_recordings(loose), split_recordings(shards), tmp_path / "shards")


def test_series(tmp_path: Path) -> None:
    loose = recipe(tables(tmp_path / "loose"), "series", **SERIES)
    shards, _ = packed(loose, tmp_path / "shards")
    found = split_recordings(shards)
    assert_same_parts(split_recordings(loose), found, tmp_path / "shards")
    whole = [recording for part in PARTS for recording in getattr(found, part)]
    assert {"2.csv#1", "2.csv#2", "3.csv", "array.npy"} < {recording.name for recording in whole}


def test_manifest_and_sidecars(tmp_path: Path) -> None:
    root = tables(tmp_path / "loose")
    names = ["0.csv", "1.csv", "2.csv", "4.csv", "array.npy"]
    rows = [
        f"{name},{part},m{i % 2}"
        for i, (name, part) in enumerate(zip(names, [*"  ", "test", *"  "], strict=True))
    ]
    (root / "list.txt").write_text("path,split,machine\n" + "\n".join(rows) + "\n")
    for i, name in enumerate(names[:-1]):
        (root / name).with_suffix(".json").write_text(json.dumps({"load": i % 3}))
    told = json.loads((root / "array.json").read_text())
    (root / "array.json").write_text(json.dumps({**told, "load": 9}))
    conditions = {"machine": {"column": "machine"}, "load": {"sidecar": "load"}}
    loose = recipe(root, "series", manifest="list.txt", conditions=conditions, **SERIES)
    shards, _ = packed(loose, tmp_path / "shards")
    found = split_recordings(shards)
    assert_same_parts(split_recordings(loose), found, tmp_path / "shards")
    assert {r.name for r in found.test} == {"2.csv#1", "2.csv#2"}
    assert {tuple(r.conditions) for r in found.train} == {("machine", "load")}
    other = recipe(
        tmp_path / "shards", "series", manifest="list.txt", **SERIES, conditions={"x": {"sidecar": "y"}}
    )
    with pytest.raises(UsageError, match="packed without the key 'y'"):
        split_recordings(other)


def test_long_recordings_lie_in_pieces_and_in_several_shards(tmp_path: Path) -> None:
    (tmp_path / "loose").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        # Loud in its middle, beyond what 16 bits hold: pieces of one recording differ in type.
        values = 0.1 * np.round(rng.standard_normal((400_000, 2)) * 2**12) / 2**15
        codes = np.round(values * 2**15) / 2**15
        codes[150_000:160_000] = values[150_000:160_000]
        sf.write(tmp_path / f"loose/{i}.wav", codes, 8000, subtype="FLOAT")
    loose = recipe(tmp_path / "loose", "audio")
    shards, done = packed(loose, tmp_path / "shards", shard_mb=1)
    sizes = [(tmp_path / "shards" / shard_name(i)).stat().st_size for i in range(done.shards)]
    assert done.shards > 5 and max(sizes) < 1.5 * 2**20
    found = split_recordings(shards)
    assert_same_parts(split_recordings(loose), found, tmp_path / "shards")
    assert_same_parts(split_recordings(loose), copy.deepcopy(found), tmp_path / "shards")


@pytest.mark.parametrize("cache_mb", [0, 16])
def test_windows_of_processes_and_workers_are_those_of_the_files(tmp_path: Path, cache_mb: int) -> None:
    augment = {"gain_db": [-3.0, 3.0], "polarity": True, "shift": 20}
    loose = recipe(sounds(tmp_path / "loose"), "audio", hop=20, augment=augment)
    shards, _ = packed(loose, tmp_path / "shards")

    def windows(made: Recipe) -> Windows:
        return Windows(
            split_recordings(made).train,
            window=50,
            hop=20,
            augment=made.data.augment,
            seed=3,
            cache_mb=cache_mb,
        )

    whole = list(windows(loose).loader(40, 46, 8))
    ours = windows(shards)
    shares = [list(ours.loader(40, 46, 8, workers=2, share=range(4 * k, 4 * k + 4))) for k in range(2)]
    for step, batch in enumerate(whole):
        for key, tensor in batch.tensors().items():
            assert torch.equal(tensor, torch.cat([share[step].tensors()[key] for share in shares])), key


def test_names_that_are_not_text(tmp_path: Path) -> None:
    root = tmp_path / "loose"
    sounds(root)
    (root / "a/16.wav").rename(root / "a/\udcff\n.wav")
    loose = recipe(root, "audio")
    shards, _ = packed(loose, tmp_path / "shards")
    assert_same_parts(split_recordings(loose), split_recordings(shards), tmp_path / "shards")


def test_the_recipe_must_read_as_it_was_packed(tmp_path: Path) -> None:
    root, out = sounds(tmp_path / "loose"), tmp_path / "shards"
    pack(recipe(root, "audio"), out)
    with pytest.raises(
        UsageError, match=r'data\.channels: the shards in .* were packed with "all", not "mono"'
    ):
        split_recordings(recipe(out, "audio", channels="mono"))
    with pytest.raises(UsageError, match=r'data\.kind: the shards in .* were packed with "audio"'):
        split_recordings(recipe(out, "series"))
    few = split_recordings(recipe(out, "audio", files=["b/*", "a/*"]))
    assert len([*few.train, *few.valid, *few.calibration]) == 7
    with pytest.raises(UsageError, match=r"none of the 10 files in the shards is asked for"):
        split_recordings(recipe(out, "audio", files=["d/*"]))
    with pytest.raises(UsageError, match="holds shards already"):
        pack(recipe(out, "audio"), tmp_path / "again")


def test_a_file_that_cannot_be_read_to_its_end_is_left_out(tmp_path: Path) -> None:
    root = sounds(tmp_path / "loose")
    (root / "a/bad.wav").write_bytes(b"no sound at all")
    cut = (root / "a/16.wav").read_bytes()
    (root / "a/16.wav").write_bytes(cut[: len(cut) // 2])
    loose = recipe(root, "audio")
    shards, done = packed(loose, tmp_path / "shards")
    assert [(Path(e.path).name, e.code) for e in done.left_out] == [("bad.wav", "not_audio")]
    found = split_recordings(shards)
    assert [r.status for part in PARTS for r in getattr(found, part)].count("truncated") == 1
    with pytest.raises(InputError, match="truncated"):
        split_recordings(shards, strict=True)
    with pytest.raises(NothingUsableError, match=r"none of 1 files can be used; first: .*bad\.wav"):
        pack(recipe(root, "audio", files=["a/bad*"]), tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loose", "shards"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def newer(root: Path) -> None:
    header = json.loads((root / HEADER).read_text())
    (root / HEADER).write_text(json.dumps({**header, "version": 99}))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / shard_name(0)).unlink(), "shard-00000.arrow: unreadable: no such file"),
        (lambda root: cut(root / shard_name(0)), "shard-00000.arrow: truncated: has "),
        (lambda root: cut(root / INDEX), "index.arrow: truncated: has "),
        (lambda root: (root / INDEX).unlink(), "index.arrow: unreadable: no such file"),
        (lambda root: flip(root / INDEX, 700), "index.arrow: corrupt: cannot be read: "),
        (lambda root: flip(root / INDEX, -20), "index.arrow: corrupt: is not as it was written"),
        (lambda root: cut(root / HEADER), "shards.json: corrupt: is no header of shards"),
        (lambda root: (root / HEADER).write_text("[]"), "shards.json: corrupt: is no header of shards"),
        (newer, "shards.json: unsupported: is of version 99"),
    ],
)
def test_damaged_shards_are_refused_in_a_line(
    tmp_path: Path, harm: Callable[[Path], Any], message: str
) -> None:
    root = tmp_path / "shards"
    shards, _ = packed(recipe(sounds(tmp_path / "loose"), "audio"), root)
    harm(root)
    with pytest.raises(InputError) as caught:
        split_recordings(shards)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_flipped_bit_in_any_sample_is_found_where_it_is_used(tmp_path: Path) -> None:
    root = tmp_path / "shards"
    shards, _ = packed(recipe(sounds(tmp_path / "loose"), "audio"), root)
    clean = pa.ipc.open_file(pa.memory_map(str(root / shard_name(0)))).get_batch(0)
    row = clean.column("name").to_pylist().index(b"b/lossy.ogg")
    stored = clean.column("samples")[row].as_py()
    at = (root / shard_name(0)).read_bytes().index(stored) + len(stored) // 2
    flip(root / shard_name(0), at)
    parts = split_recordings(shards)
    harmed = 0
    for recording in (r for part in PARTS for r in getattr(parts, part)):
        if recording.name == "b/lossy.ogg":
            with pytest.raises(InputError, match=r"shard-00000\.arrow: corrupt: the samples of b/lossy\.ogg"):
                recording.read(0, 10)
            harmed += 1
        else:
            recording.read(0, recording.length)
    assert harmed == 1


def test_a_packing_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 5:
            assert total == 10 and list(tmp_path.glob("deep/.shards*"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(recipe(sounds(tmp_path / "loose"), "audio"), tmp_path / "deep/shards", on_file=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["loose"]
