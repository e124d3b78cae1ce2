"""Audio files that are cut, damaged, gone or no audio at all: a named error or status, and never a hang."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from audio_files import check_reads, fault, joined, one, sound, write

from seqflow.errors import InputError

SCIPY_FILES = sorted((Path(scipy.io.__file__).parent / "tests" / "data").glob("*.wav"))


def cut(path: Path, share: float = 0.5) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def forget_open_files() -> None:
    from seqflow.data import audio_file

    audio_file._open.clear()


@pytest.mark.parametrize("path", SCIPY_FILES, ids=lambda p: p.stem)
@pytest.mark.parametrize("rate", [None, 16_000.0])
def test_odd_and_broken_files_of_scipy(path: Path, rate: float | None) -> None:
    try:
        recording = one(path, rate=rate)
        values, mask = joined(recording, 100)
    except InputError as error:
        assert error.code in ("corrupt", "unsupported", "truncated")
        assert "\n" not in str(error)
    else:
        assert values.shape[1] == recording.length and mask.all()
        assert recording.status == ("truncated" if "early-eof" in path.name else "ok")


def test_scipy_has_its_files() -> None:
    assert len(SCIPY_FILES) >= 20
    opened = [path for path in SCIPY_FILES if _opens(path)]
    assert len(opened) >= 15


def _opens(path: Path) -> bool:
    try:
        one(path)
    except InputError:
        return False
    return True


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", {}),
        ("wav", {"subtype": "IMA_ADPCM"}),
        ("wav", {"subtype": "GSM610"}),
        ("wav", {"format": "RF64"}),
        ("wav", {"endian": "BIG"}),
        ("w64", {}),
        ("aiff", {}),
        ("au", {}),
        ("flac", {}),
        ("ogg", {}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("mp3", {}),
    ],
)
def test_a_file_that_is_cut(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    whole = one(
        write(tmp_path / f"a.{suffix}", sound(60_000, 1), format=options.pop("format", None), **options)
    )
    expected, _ = joined(whole)
    assert whole.status == "ok"
    path = cut(tmp_path / f"a.{suffix}")
    forget_open_files()
    recording = one(path)
    assert recording.status == "truncated"
    assert f"{recording.length} " in recording.detail and "can be read" in recording.detail
    assert 5000 < recording.length < 45_000
    values, mask = joined(recording)
    assert values.shape[1] == recording.length and mask.all()
    # A decoder of blocks runs out of bits in the last of them.
    exact = suffix in ("wav", "w64", "aiff", "au", "flac") and "subtype" not in options
    sure = recording.length - (0 if exact else 3000)
    assert np.abs(values - expected[:, : recording.length])[:, :sure].max() < 1e-6
    check_reads(recording, 500, 1e-6, count=6)
    assert fault(path, strict=True).code == "truncated"
    assert one(path, rate=4000.0).status == "truncated"
    assert joined(one(path, rate=4000.0))[0].shape[1] == (recording.length + 1) // 2


def test_caf_that_is_cut(tmp_path: Path) -> None:
    # libsndfile does not open it.
    assert fault(cut(write(tmp_path / "a.caf", sound(5000)))).code == "truncated"


def test_streams_in_a_row_are_not_taken_for_one(tmp_path: Path) -> None:
    for suffix in ("ogg", "mp3"):
        first = write(tmp_path / f"a.{suffix}", sound(20_000)).read_bytes()
        second = write(tmp_path / f"b.{suffix}", sound(20_000, seed=1)).read_bytes()
        path = tmp_path / f"c.{suffix}"
        path.write_bytes(first + second)
        recording = one(path)
        assert recording.status == "truncated" and "several" in recording.detail
        assert recording.length == 20_000
        assert fault(path, strict=True).code == "truncated"


def test_a_header_alone(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff", "w64"):
        path = write(tmp_path / f"a.{suffix}", sound(5000))
        content = path.read_bytes()
        for size in (1, 3, 4, 11, 12, 20, 36, 44, 58, 100):
            path.write_bytes(content[:size])
            try:
                recording = one(path)
            except InputError as error:
                assert error.code in ("truncated", "corrupt", "not_audio", "unsupported", "empty")
            else:
                assert recording.status == "truncated"
                assert 0 < joined(recording)[0].shape[1] == recording.length <= 28


def test_no_samples_no_bytes_no_audio(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "mp3"):
        assert fault(write(tmp_path / f"a.{suffix}", np.zeros(0))).code == "empty"
        path = tmp_path / f"b.{suffix}"
        path.touch()
        assert fault(path).code == "empty"
        for text in ("no sound, just words\n" * 100, "ID3", "ID3\x04\x00" + "\x00" * 500, "RIFF", "x"):
            path.write_text(text)
            assert fault(path).code in ("not_audio", "corrupt")


@pytest.mark.parametrize(
    "start", [b"RIFF", b"RF64", b"FORM", b"riff", b"caff", b".snd", b"OggS", b"fLaC", b"ID3"]
)
def test_garbage_behind_a_good_start(tmp_path: Path, start: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(len(start))
    for size in (10, 100, 5000):
        for content in (bytes(size), b"\xff" * size, rng.bytes(size)):
            path = tmp_path / "a.wav"
            path.write_bytes(start + content)
            assert fault(path).code in ("not_audio", "corrupt", "unsupported", "truncated")
    assert capfd.readouterr().err == ""


def test_things_that_are_no_files(tmp_path: Path) -> None:
    assert fault(tmp_path).code == "not_a_file"
    assert fault(tmp_path / "absent.wav").code == "unreadable"
    assert fault(Path("/dev/null")).code == "not_a_file"
    loop = tmp_path / "loop.wav"
    loop.symlink_to(loop)
    assert fault(loop).code == "unreadable"
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    assert fault(pipe).code == "not_a_file"
    assert fault(tmp_path / ("x" * 300 + ".wav")).code == "unreadable"
    assert fault(str(tmp_path / "a\0b.wav")).code == "unreadable"
    link = tmp_path / "link.wav"
    link.symlink_to(write(tmp_path / "a.wav", sound(100)))
    assert one(link).length == 100


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(100))
    path.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)  # for the owner of everything there are no forbidden files
    try:
        error = fault(path)
    finally:
        if root:
            os.seteuid(0)
    assert error.code == "unreadable" and "ermission" in str(error)


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(5000))
    recording = one(path)
    forget_open_files()
    path.unlink()
    with pytest.raises(InputError) as caught:
        recording.read(0, 100)
    assert caught.value.code == "unreadable"
    with pytest.raises(InputError):
        next(recording.blocks(100))


def test_a_file_that_vanishes_or_grows_while_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", sound(600_000))
    recording = one(path)
    blocks = recording.blocks(1000)
    first = next(blocks)
    other = tmp_path / "b.flac"
    shutil.copy(path, other)
    path.unlink()
    # What is open stays open, as the system has it.
    assert first.values.shape[1] + sum(b.values.shape[1] for b in blocks) == 600_000
    wav = write(tmp_path / "c.wav", sound(5000))
    growing = one(wav)
    with wav.open("ab") as file:
        file.write(bytes(1000))
    assert joined(growing)[0].shape[1] == 5000


def test_a_file_that_becomes_another(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(5000))
    recording = one(path)
    for values, rate in ((sound(4000), 8000), (sound(5000, 2), 8000), (sound(5000), 16_000)):
        forget_open_files()
        write(path, values, rate)
        with pytest.raises(InputError) as caught:
            recording.read(0, 100)
        assert caught.value.code == "changed"


@pytest.mark.parametrize("size", [0, 3000])
def test_a_file_that_is_cut_while_it_is_open(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "a.wav", sound(5000))
    recording = one(path)
    recording.read(0, 100)
    os.truncate(path, size)
    with pytest.raises(InputError, match=r"changed|empty"):
        recording.read(4000, 100)


def _damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if kind == "one bit":
        content[middle] ^= 0x10
    elif kind == "zeros":
        content[middle : middle + 300] = bytes(300)
    elif kind == "noise":
        content[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    else:
        del content[middle : middle + 2000]
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["one bit", "zeros", "noise", "hole"])
@pytest.mark.parametrize("rate", [None, 4000.0])
def test_damaged_frames_of_flac_are_left_out(tmp_path: Path, kind: str, rate: float | None) -> None:
    path = write(tmp_path / "a.flac", sound(100_000))
    clean, _ = joined(one(path, rate=rate))
    _damage(path, kind)
    forget_open_files()
    recording = one(path, rate=rate)
    values, mask = joined(recording)
    assert values.shape == clean.shape
    share = 1 - mask.mean()
    assert 0.001 < share < 0.15
    gone = np.flatnonzero(~mask[0])
    assert len(gone) == gone[-1] - gone[0] + 1
    assert np.abs(values - clean)[mask].max() < 1e-3
    assert recording.status == "corrupt" and "cannot be decoded" in recording.detail
    assert fault(path, rate=rate, strict=True).code == "corrupt"


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
@pytest.mark.parametrize("kind", ["zeros", "noise", "hole"])
@pytest.mark.parametrize("rate", [None, 4000.0])
def test_damage_in_lossy_files_is_reported(
    tmp_path: Path, suffix: str, kind: str, rate: float | None, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / f"a.{suffix}", sound(200_000))
    clean, _ = joined(one(path, rate=rate))
    _damage(path, kind)
    recording = one(path, rate=rate)
    values, _ = joined(recording)
    assert recording.status in ("corrupt", "truncated")
    assert 0.35 * clean.shape[1] < values.shape[1] < clean.shape[1]
    early = int(0.35 * clean.shape[1])
    assert np.abs(values - clean[:, : values.shape[1]])[:, :early].max() < 1e-6
    with pytest.raises(InputError) as caught:
        joined(one(path, rate=rate, strict=True))
    assert caught.value.code in ("corrupt", "truncated")
    assert capfd.readouterr().err == ""


def test_damage_found_late_names_what_was_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", sound(200_000))
    _damage(path, "zeros")
    recording = one(path)
    assert (recording.status, recording.length) == ("ok", 200_000)
    done = joined(recording)[0].shape[1]
    assert done < 200_000
    assert recording.status == "corrupt" and f"after {done} of 200000" in recording.detail
    assert fault(path, strict=True).code == "corrupt"


def _noise(content: bytearray, rng: np.random.Generator) -> bytes:
    for at in rng.integers(0, len(content), rng.integers(1, 20)):
        content[at] = rng.integers(256)
    return bytes(content)


def _header_noise(content: bytearray, rng: np.random.Generator) -> bytes:
    for at in rng.integers(0, min(60, len(content)), rng.integers(1, 4)):
        content[at] = rng.integers(256)
    return bytes(content)


def _shorter(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content[: rng.integers(1, len(content))])


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "w64", "ogg"])
@pytest.mark.parametrize("spoil", [_noise, _header_noise, _shorter])
def test_any_damage_ends_in_samples_or_a_named_error(
    tmp_path: Path, suffix: str, spoil: Callable[[bytearray, np.random.Generator], bytes]
) -> None:
    good = write(tmp_path / f"a.{suffix}", sound(6000)).read_bytes()
    path = tmp_path / f"b.{suffix}"
    for seed in range(12):
        path.write_bytes(spoil(bytearray(good), np.random.default_rng(seed)))
        forget_open_files()
        try:
            recording = one(path)
            for count, block in enumerate(recording.blocks(4096)):
                assert np.isfinite(block.values).all()
                if count > 20:  # a header may declare any length
                    break
        except InputError as error:
            assert error.code


@pytest.mark.parametrize("rate", [None, 16_000.0])
@pytest.mark.parametrize(
    ("dead", "line"),
    [
        ([1], "channel 1, mixed into the mean, holds one value"),
        ([0, 2], "channels 0, 2, mixed into the mean, hold one value each"),
        ([], ""),
        ([0, 1, 2], ""),  # a constant recording, which has a name of its own
    ],
)
def test_a_dead_channel_is_not_hidden_by_the_mean(
    tmp_path: Path, dead: list[int], line: str, rate: float | None
) -> None:
    values = sound(3000, 3)
    values[:, dead] = 0.25 if rate is None else 0.0
    recording = one(write(tmp_path / "a.wav", values), channels="mono", rate=rate)
    assert recording.status == "ok"
    for _ in range(2):
        joined(recording, 700)
        assert (recording.status, recording.detail) == ("dead_channel" if line else "ok", line)


def test_a_channel_that_moves_once_is_not_dead(tmp_path: Path) -> None:
    values = sound(3000, 2)
    values[:, 1] = 0.0
    values[2999, 1] = 0.5
    recording = one(write(tmp_path / "a.wav", values), channels="mono")
    joined(recording, 700)
    assert recording.status == "ok"
