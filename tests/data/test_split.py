"""From a recipe to recordings that train, validate, calibrate and test."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqflow.data.dataset import Windows
from seqflow.data.split import Parts, split_recordings
from seqflow.errors import InputError, UsageError
from seqflow.recipe import Recipe

PARTS = ("train", "valid", "calibration", "test")


def recipe(root: Path | None, kind: str = "audio", *, recipe_seed: int = 0, **data: Any) -> Recipe:
    where = {"root": str(root)} if root is not None else {}
    return Recipe.model_validate(
        {
            "name": "test/split",
            "seed": recipe_seed,
            "data": {"kind": kind, "window": 50, **where, **data},
            "model": {"layers": [{"kind": "standardize"}]},
        }
    )


def write(
    root: Path, name: str, length: int = 400, rate: int = 8000, seed: int = 0, channels: int = 1
) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *name.encode()])
    sf.write(path, 0.1 * rng.standard_normal((length, channels)), rate)
    return path


def csv(root: Path, name: str, length: int = 300, columns: str = "a,b") -> Path:
    path = root / name
    rng = np.random.default_rng([*name.encode()])
    rows = rng.standard_normal((length, len(columns.split(","))))
    path.write_text(columns + "\n" + "\n".join(",".join(f"{v:.3f}" for v in row) for row in rows) + "\n")
    return path


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    for i in range(10):
        write(tmp_path, f"d{i % 2}/{i}.wav")
    return tmp_path


def names(parts: Parts, part: str) -> list[str]:
    return [recording.name for recording in getattr(parts, part)]


def by_code(parts: Parts) -> dict[str, str]:
    return {Path(error.path).name: error.code for error in parts.skipped}


def test_by_recording(ten: Path) -> None:
    parts = split_recordings(recipe(ten, split={"test": ["d1/9.wav"], "valid": 0.1, "calibration": 0.2}))
    assert [len(getattr(parts, part)) for part in PARTS] == [6, 1, 2, 1]
    everything = sorted(name for part in PARTS for name in names(parts, part))
    assert everything == sorted(f"d{i % 2}/{i}.wav" for i in range(10))
    assert names(parts, "train") == sorted(names(parts, "train"))
    assert (parts.rate, parts.channels, parts.channel_names, parts.skipped) == (8000.0, 1, (), [])


def test_the_same_for_the_same_seed_and_data(ten: Path, tmp_path: Path) -> None:
    one, other = split_recordings(recipe(ten)), split_recordings(recipe(ten))
    assert one.fingerprint == other.fingerprint
    assert all(names(one, part) == names(other, part) for part in PARTS)
    assert split_recordings(recipe(ten, recipe_seed=1)).fingerprint != one.fingerprint
    # Where the data lie is no part of what they are.
    shutil.copytree(ten, tmp_path / "copy" / "x")
    assert split_recordings(recipe(tmp_path / "copy" / "x")).fingerprint == one.fingerprint


@pytest.mark.parametrize("change", ["content", "name", "more", "cut"])
def test_other_data_have_another_fingerprint(ten: Path, change: str) -> None:
    before = split_recordings(recipe(ten)).fingerprint
    match change:
        case "content":
            write(ten, "d0/4.wav", seed=9)
        case "name":
            (ten / "d0/4.wav").rename(ten / "d0/4b.wav")
        case "more":
            write(ten, "d0/99.wav")
        case "cut":
            write(ten, "d0/4.wav", length=399)
    assert split_recordings(recipe(ten)).fingerprint != before


def test_test_data_may_change(ten: Path) -> None:
    split = {"test": ["d1/**"]}
    before = split_recordings(recipe(ten, split=split)).fingerprint
    write(ten, "d1/new.wav")
    assert split_recordings(recipe(ten, split=split)).fingerprint == before


@settings(max_examples=40)
@given(
    st.one_of(st.none(), st.integers(1, 1200), st.floats(0.05, 0.95)),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
)
def test_by_time_parts_share_no_sample(end: float | None, valid: float, calibration: float) -> None:
    config = recipe(
        None,
        "synthetic",
        generator="sensor",
        recordings=2,
        seconds=10.0,
        split={"by": "time", "train_end": end, "valid": valid, "calibration": calibration},
        window=10,
        short="pad",
    )
    assume(_enough(end, valid, calibration))
    parts = split_recordings(config)
    normal = 1000 if end is None else min(end, 1000) if isinstance(end, int) else round(end * 1000)
    for name in ("sensor-000", "sensor-001"):
        stretches = [
            (recording.start, recording.start + recording.length, part)
            for part in PARTS
            for recording in getattr(parts, part)
            if recording.name == name
        ]
        # One after the other, in the order of the parts, from the first sample to the last.
        assert [part for *_, part in stretches] == [p for p in PARTS if p in {part for *_, part in stretches}]
        assert stretches[0][0] == 0 and stretches[-1][1] == 1000
        assert all(one[1] == other[0] for one, other in pairwise(stretches))
        held = {part: stop - start for start, stop, part in stretches}
        assert held.get("valid", 0) == round(valid * normal)
        assert held.get("calibration", 0) == round(calibration * normal)
        assert held.get("test", 0) == 1000 - normal


def _enough(end: float | None, valid: float, calibration: float) -> bool:
    normal = 1000 if end is None else min(end, 1000) if isinstance(end, int) else round(end * 1000)
    held = [round(valid * normal), round(calibration * normal)]
    return normal - sum(held) > 1 and all(n > 0 for n, f in zip(held, (valid, calibration), strict=True) if f)


def test_by_time_windows_do_not_straddle(tmp_path: Path) -> None:
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", np.arange(1000.0) + 10_000 * i)
    config = recipe(tmp_path, "series", split={"by": "time", "train_end": 0.8}, time=None)
    parts = split_recordings(config)
    seen: dict[str, set[float]] = {}
    for part in PARTS:
        windows = Windows(getattr(parts, part), window=50, hop=20)
        seen[part] = {float(v) for batch in windows.in_order(8) for v in batch.x.flatten()}
        for batch in windows.in_order(8):
            assert (batch.position == batch.x[:, 0, 0] % 10_000).all()
    assert sum(map(len, seen.values())) == 2000 == len(set.union(*seen.values()))
    assert max(v % 10_000 for v in seen["train"]) < min(v % 10_000 for v in seen["valid"])
    assert max(v % 10_000 for v in seen["valid"]) < min(v % 10_000 for v in seen["calibration"])
    assert {v % 10_000 for v in seen["test"]} == set(range(800, 1000))


def test_by_time_a_series_split_at_gaps_is_parted_as_one(tmp_path: Path) -> None:
    seconds = np.concatenate([np.arange(400), 1000 + np.arange(600)])
    rows = "\n".join(
        f"{t},{v:.2f}" for t, v in zip(seconds, np.random.default_rng(0).random(1000), strict=True)
    )
    (tmp_path / "a.csv").write_text("time,v\n" + rows + "\n")
    split = {"by": "time", "train_end": 800, "valid": 0.25, "calibration": 0.25}
    parts = split_recordings(recipe(tmp_path, "series", irregular="split", split=split))
    found = {p: [(r.name, r.start, r.length) for r in getattr(parts, p)] for p in PARTS}
    assert found == {
        "train": [("a.csv#1", 0, 400)],
        "valid": [("a.csv#2", 400, 200)],
        "calibration": [("a.csv#2", 600, 200)],
        "test": [("a.csv#2", 800, 200)],
    }


def test_by_time_whole_test_files(ten: Path) -> None:
    split = {"by": "time", "test": ["d1/**"], "valid": 0.2, "calibration": 0.2}
    parts = split_recordings(recipe(ten, split=split))
    assert set(names(parts, "test")) == {f"d1/{i}.wav" for i in (1, 3, 5, 7, 9)}
    assert names(parts, "train") == names(parts, "valid") == names(parts, "calibration")


def test_files_that_cannot_be_used_are_named(ten: Path) -> None:
    (ten / "empty.wav").write_bytes(b"")
    (ten / "text.wav").write_text("no sound\n" * 100)
    write(ten, "short.wav", length=49)
    write(ten, "stereo.wav", channels=2)
    (ten / "gone.wav").symlink_to(ten / "nowhere")
    parts = split_recordings(recipe(ten))
    assert by_code(parts) == {
        "empty.wav": "empty",
        "text.wav": "not_audio",
        "short.wav": "too_short",
        "stereo.wav": "wrong_channels",
        "gone.wav": "unreadable",
    }
    assert sum(len(getattr(parts, part)) for part in PARTS) == 10
    with pytest.raises(InputError):
        split_recordings(recipe(ten), strict=True)
    padded = split_recordings(recipe(ten, short="pad"))
    assert "short.wav" not in by_code(padded)


def test_nothing_left_names_the_first(tmp_path: Path) -> None:
    for i in range(3):
        (tmp_path / f"{i}.wav").write_text("no sound\n" * 100)
    with pytest.raises(UsageError, match=r"none of 3 files can be used; first: .*0\.wav: not_audio"):
        split_recordings(recipe(tmp_path))
    shutil.rmtree(tmp_path)
    write(tmp_path, "a.wav", length=20)
    with pytest.raises(
        UsageError, match=r"no recording can be used; first: .*a\.wav: too_short: has 20 samples"
    ):
        split_recordings(recipe(tmp_path))


def test_one_file_only(tmp_path: Path) -> None:
    write(tmp_path, "a.wav", length=1000)
    with pytest.raises(UsageError, match="by: time"):
        split_recordings(recipe(tmp_path))
    parts = split_recordings(recipe(tmp_path, split={"by": "time"}))
    assert [[r.length for r in getattr(parts, part)] for part in PARTS] == [[700], [100], [200], []]


def test_too_few_files_name_the_first_that_was_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.wav", channels=2)
    write(tmp_path, "b.wav", length=20)
    with pytest.raises(
        UsageError, match=r"1 file cannot be parted .*; left out: 1, first: .*b\.wav: too_short"
    ):
        split_recordings(recipe(tmp_path))


def test_parts_too_short_for_a_window(tmp_path: Path) -> None:
    write(tmp_path, "a.wav", length=200)
    with pytest.raises(UsageError, match=r"the valid part of no recording is as long as a window of 50"):
        split_recordings(recipe(tmp_path, split={"by": "time", "valid": 0.2, "calibration": 0.3}))


def test_rates_of_audio_are_made_the_same(tmp_path: Path) -> None:
    for i in range(6):
        write(tmp_path, f"{i}.wav", rate=8000 if i % 2 else 16000, length=800)
    split = {"valid": ["1.wav"], "calibration": ["2.wav"], "test": ["0.wav"]}
    parts = split_recordings(recipe(tmp_path, split=split))
    assert parts.rate == 8000 and names(parts, "train") == ["3.wav", "4.wav", "5.wav"]
    assert [r.length for r in parts.train] == [800, 400, 800]
    assert {r.rate for p in PARTS for r in getattr(parts, p)} == {8000.0}
    refused = split_recordings(
        recipe(tmp_path, split={"valid": ["2.wav"], "calibration": 0.0}, resample="refuse")
    )
    assert refused.rate == 16000 and by_code(refused) == dict.fromkeys(
        ["1.wav", "3.wav", "5.wav"], "wrong_rate"
    )


def test_rates_and_columns_of_series(tmp_path: Path) -> None:
    for i, step in enumerate([1, 1, 1, 1, 2]):
        rng = np.random.default_rng(i)
        rows = [f"{t * step},{x:.3f},{y:.3f}" for t, (x, y) in enumerate(rng.random((200, 2)))]
        (tmp_path / f"{i}.csv").write_text("time,a,b\n" + "\n".join(rows) + "\n")
    csv(tmp_path, "swapped.csv", columns="b,a")
    csv(tmp_path, "other.csv", columns="c,d")
    parts = split_recordings(recipe(tmp_path, "series", split={"valid": ["1.csv"], "calibration": ["2.csv"]}))
    assert parts.rate == 1.0 and parts.channel_names == ("a", "b")
    assert by_code(parts) == {"4.csv": "wrong_rate", "other.csv": "wrong_channels"}
    assert names(parts, "train") == ["0.csv", "3.csv", "swapped.csv"]
    assert {r.rate for r in parts.train} == {1.0} and {r.channel_names for r in parts.train} == {("a", "b")}
    written = np.loadtxt(tmp_path / "swapped.csv", delimiter=",", skiprows=1).T[::-1]
    assert np.allclose(parts.train[2].read(0, 300).values, written)


def test_a_part_whose_files_all_fail(tmp_path: Path) -> None:
    for i in range(3):
        write(tmp_path, f"{i}.wav")
    write(tmp_path, "held.wav", channels=2)
    with pytest.raises(
        UsageError, match=r"nothing is left for calibration; first: .*held\.wav: wrong_channels"
    ):
        split_recordings(recipe(tmp_path, split={"calibration": ["held.wav"], "valid": 0.3}))


@pytest.mark.parametrize("by", ["recording", "time"])
def test_the_same_file_in_two_parts(tmp_path: Path, by: str) -> None:
    for i in range(4):
        write(tmp_path, f"{i}.wav", length=1000)
    shutil.copy(tmp_path / "1.wav", tmp_path / "held.wav")
    split = {"by": by, "test": ["held.wav"]}
    split |= {"valid": ["2.wav"], "calibration": ["3.wav"]} if by == "recording" else {}
    with pytest.raises(UsageError, match=r"1\.wav \(train\) and held\.wav \(test\) have the same content"):
        split_recordings(recipe(tmp_path, split=split))
    if by == "recording":
        split |= {"test": [], "valid": ["2.wav"], "calibration": ["held.wav"]}
        with pytest.raises(UsageError, match=r"1\.wav \(train\) and held\.wav \(calibration\) have the same"):
            split_recordings(recipe(tmp_path, split=split))
    assert split_recordings(recipe(tmp_path, split=split, exclude=["1.wav"])).skipped == []


def test_copies_within_training_do_no_harm(tmp_path: Path) -> None:
    for i in range(4):
        write(tmp_path, f"{i}.wav")
    shutil.copy(tmp_path / "0.wav", tmp_path / "1.wav")
    split = {"valid": ["2.wav"], "calibration": ["3.wav"]}
    assert names(split_recordings(recipe(tmp_path, split=split)), "train") == ["0.wav", "1.wav"]
    by_time = split_recordings(recipe(tmp_path, split={"by": "time", "valid": 0.2}))
    assert len(by_time.train) == 4


def test_all_data_constant(tmp_path: Path) -> None:
    for i in range(4):
        sf.write(tmp_path / f"{i}.wav", np.full(200_000, 0.1 * i), 8000)
    with pytest.raises(UsageError, match=r"all training data are constant \(.*\.wav, .*\.wav\)"):
        split_recordings(recipe(tmp_path))
    sf.write(tmp_path / "live.wav", np.r_[np.zeros(199_999), 0.1], 8000)
    split = {"valid": ["0.wav"], "calibration": ["1.wav"]}
    assert "live.wav" in names(split_recordings(recipe(tmp_path, split=split)), "train")


def test_manifest(ten: Path) -> None:
    lines = [
        "path,split",
        "d0/0.wav,valid",
        "d1/1.wav,calibration",
        "d0/2.wav,train",
        "d1/3.wav,test",
        "d0/4.wav,",
    ]
    (ten / "list.csv").write_text("\n".join(lines) + "\n")
    parts = split_recordings(recipe(ten, manifest="list.csv"))
    found = {part: names(parts, part) for part in PARTS}
    assert found == {
        "train": ["d0/2.wav", "d0/4.wav"],
        "valid": ["d0/0.wav"],
        "calibration": ["d1/1.wav"],
        "test": ["d1/3.wav"],
    }


def test_made_up_data() -> None:
    config = recipe(None, "synthetic", generator="sine", recordings=10, seconds=1.0)
    parts = split_recordings(config)
    assert [len(getattr(parts, part)) for part in PARTS] == [7, 1, 2, 0]
    assert parts.rate == 1000.0 and parts.fingerprint == split_recordings(config).fingerprint
    other = recipe(None, "synthetic", generator="sine", recordings=10, seconds=1.0, seed=1)
    assert split_recordings(other).fingerprint != parts.fingerprint


def test_a_big_file_is_known_by_its_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from seqflow.data import digest

    monkeypatch.setattr(digest, "_WHOLE", 1000)
    monkeypatch.setattr(digest, "_BLOCK", 64)
    path = tmp_path / "big"
    data = bytearray(np.random.default_rng(0).bytes(5000))
    path.write_bytes(data)
    first = digest.file_digest(path)
    assert digest.file_digest(path) == first
    for at in (0, 4999, (5000 - 64) * 7 // 15 + 10):
        changed = bytearray(data)
        changed[at] ^= 1
        path.write_bytes(changed)
        assert digest.file_digest(path) != first
    path.write_bytes(data + b"x")
    assert digest.file_digest(path) != first
