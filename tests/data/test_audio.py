"""Audio files of every format: the samples in them, by position and in order, in any process."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from audio_files import Array, check_reads, fault, joined, one, sound, write

from seqflow.data.recording import Recording

# Suffix, container, subtype, and how far the samples may lie from those written; None: a lossy format.
EXACT = [
    ("wav", "WAV", "PCM_U8", 2**-7),
    ("wav", "WAV", "PCM_16", 2**-15),
    ("wav", "WAVEX", "PCM_24", 2**-23),
    ("wav", "WAV", "PCM_32", 2**-31),
    ("wav", "WAV", "FLOAT", 2**-24),
    ("wav", "WAV", "DOUBLE", 0.0),
    ("rf64", "RF64", "PCM_16", 2**-15),
    ("w64", "W64", "PCM_16", 2**-15),
    ("aiff", "AIFF", "PCM_S8", 2**-7),
    ("aif", "AIFF", "PCM_16", 2**-15),
    ("au", "AU", "PCM_16", 2**-15),
    ("caf", "CAF", "PCM_24", 2**-23),
    ("caf", "CAF", "ALAC_16", 2**-15),
    ("flac", "FLAC", "PCM_16", 2**-15),
    ("flac", "FLAC", "PCM_24", 2**-23),
]
COMPANDED = [
    ("wav", "WAV", "ULAW"),
    ("wav", "WAV", "ALAW"),
    ("wav", "WAV", "IMA_ADPCM"),
    ("wav", "WAV", "MS_ADPCM"),
]


@pytest.mark.parametrize(("suffix", "container", "subtype", "distance"), EXACT)
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_those_written(
    tmp_path: Path, suffix: str, container: str, subtype: str, distance: float, channels: int
) -> None:
    if subtype == "ALAC_16":
        channels = min(channels, 2)
    written = sound(9000, channels)
    path = write(tmp_path / f"a.{suffix}", written, format=container, subtype=subtype)
    recording = one(path)
    assert (recording.kind, recording.channels, recording.rate) == ("audio", channels, 8000.0)
    assert (recording.length, recording.start) == (9000, 0)
    assert (recording.status, recording.detail, recording.channel_names) == ("ok", "", ())
    values, mask = joined(recording)
    assert mask.all()
    assert values.dtype == (np.float64 if subtype in ("PCM_32", "DOUBLE") else np.float32)
    assert np.abs(values - written.T).max() <= distance
    check_reads(recording, 500)


@pytest.mark.parametrize(("suffix", "container", "subtype"), COMPANDED)
@pytest.mark.parametrize("channels", [1, 2])
def test_companded_formats(tmp_path: Path, suffix: str, container: str, subtype: str, channels: int) -> None:
    written = sound(9000, channels)
    recording = one(write(tmp_path / f"a.{suffix}", written, format=container, subtype=subtype))
    values, mask = joined(recording)
    assert mask.all() and values.dtype == np.float32
    error = values[:, :9000] - written.T
    assert np.sqrt((error**2).mean()) < 0.3 * np.sqrt((written**2).mean())
    check_reads(recording, 500)


def test_formats_that_cannot_seek(tmp_path: Path) -> None:
    recording = one(write(tmp_path / "a.wav", sound(9000), subtype="GSM610"))
    check_reads(recording, 500, count=6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_vorbis_is_right_after_a_seek(tmp_path: Path, rate: int, channels: int) -> None:
    # The decoder's state, its first block after a seek, and its counting in the last page all go wrong.
    written = sound(3 * rate, channels, rate)
    recording = one(write(tmp_path / "a.ogg", written, rate, format="OGG", subtype="VORBIS"))
    assert recording.length == 3 * rate
    check_reads(recording, 3000, starts=range(3 * rate - 20_000, 3 * rate, 997), count=40)


def test_opus_is_right_after_a_seek(tmp_path: Path) -> None:
    recording = one(
        write(tmp_path / "a.opus", sound(64_000, 1, 16_000), 16_000, format="OGG", subtype="OPUS")
    )
    check_reads(recording, 2000, 1e-6, count=12)


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (22_050, 2), (8000, 1)])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_is_right_after_a_seek(
    tmp_path: Path, rate: int, channels: int, mode: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # At a low bit rate a frame may draw on bits of many frames before it.
    written = sound(3 * rate, channels, rate)
    path = write(tmp_path / "a.mp3", written, rate, bitrate_mode=mode, compression_level=0.99)
    check_reads(one(path), 3000, 1e-6, count=40)
    assert capfd.readouterr().err == ""


def test_the_error_output_is_there_again_after_an_mp3_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    joined(one(write(tmp_path / "a.mp3", sound(9000))))
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_blocks_do_not_depend_on_their_size(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "mp3"):
        recording = one(write(tmp_path / f"a.{suffix}", sound(30_000, 2)))
        whole, _ = joined(recording, 1 << 20)
        for frames in (1, 7, 4096, 29_999, 30_000) if suffix == "wav" else (4096,):
            assert (joined(recording, frames)[0] == whole).all()


def test_many_blocks_of_one_decoding(tmp_path: Path) -> None:
    # Longer than what is decoded at a time.
    recording = one(write(tmp_path / "a.wav", sound(40_000, 16)))
    whole, _ = joined(recording, 1 << 20)
    assert whole.shape == (16, 40_000)
    assert (joined(recording, 999)[0] == whole).all()
    assert (joined(recording, 16_384)[0] == whole).all()


@pytest.mark.parametrize("rate", [8000, 11_127, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 8, 32])
def test_any_rate_and_number_of_channels(tmp_path: Path, rate: int, channels: int) -> None:
    written = np.round(sound(300, channels) * 2**15) / 2**15
    recording = one(write(tmp_path / "a.wav", written, rate))
    assert (recording.rate, recording.channels) == (rate, channels)
    assert (joined(recording)[0] == written.T).all()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_single_sample(tmp_path: Path, suffix: str) -> None:
    recording = one(write(tmp_path / f"a.{suffix}", np.full(1, 0.5)))
    assert recording.length == 1
    check_reads(recording, 10, 1e-6)


def test_values_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    written = 50.0 * sound(500)
    values, _ = joined(one(write(tmp_path / "a.wav", written, subtype="FLOAT")))
    assert (values == written.T.astype(np.float32)).all()
    values, _ = joined(one(write(tmp_path / "b.wav", 1e300 * written, subtype="DOUBLE")))
    assert (values == 1e300 * written.T).all()


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_that_are_not_finite_are_invalid(tmp_path: Path, subtype: str) -> None:
    written = sound(2000, 2)
    written[10, 0], written[500:700, 1], written[1999, 0] = np.nan, np.inf, -np.inf
    recording = one(write(tmp_path / "a.wav", written, subtype=subtype))
    values, mask = joined(recording)
    assert (mask == np.isfinite(written.T)).all()
    assert np.abs(values[mask] - written.T[mask]).max() <= 2**-24
    assert recording.status == "ok"
    check_reads(recording, 100)
    mixed, mask = joined(one(tmp_path / "a.wav", channels="mono"))
    assert (mask[0] == np.isfinite(written).all(axis=1)).all()
    assert np.abs(mixed[0] - written.mean(axis=1))[mask[0]].max() < 1e-6
    written[:, 1] = np.nan
    _, mask = joined(one(write(tmp_path / "a.wav", written, subtype=subtype)))
    assert mask[0].sum() == 1998 and not mask[1].any()


def test_channels(tmp_path: Path) -> None:
    written = np.round(sound(1000, 4) * 2**15) / 2**15
    path = write(tmp_path / "a.wav", written)
    for channels, expected in (
        ("all", written.T),
        ("first", written.T[:1]),
        ((2, 0), written.T[[2, 0]]),
        ((0, 1, 2, 3), written.T),
    ):
        recording = one(path, channels=channels)
        assert recording.channels == len(expected)
        assert (joined(recording)[0] == expected).all()
        check_reads(recording, 100)
    assert np.abs(joined(one(path, channels="mono"))[0] - written.T.mean(0)).max() < 1e-7
    for channels in ((0, 4), ("left",), (0, "1")):
        error = fault(path, channels=channels)
        assert error.code == "wrong_channels"


def test_a_part(tmp_path: Path) -> None:
    recording = one(write(tmp_path / "a.flac", sound(5000, 2)))
    values, _ = joined(recording)
    part = recording.part(1000, 4000)
    assert (joined(part)[0] == values[:, 1000:4000]).all()
    assert part.start == 1000


def test_few_files_stay_open(tmp_path: Path) -> None:
    recordings = [one(write(tmp_path / f"{i}.flac", sound(500, seed=i))) for i in range(30)]
    before = len(list(Path("/dev/fd").iterdir()))
    for recording in recordings * 2:
        recording.read(100, 50)
    assert len(list(Path("/dev/fd").iterdir())) <= before + 8


def _hash_of_reads(recording: Recording, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return b"".join(recording.read(int(s), 200).values.tobytes() for s in rng.integers(0, 19_000, 200))


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_processes_and_threads_do_not_disturb_each_other(tmp_path: Path, suffix: str) -> None:
    recording = one(write(tmp_path / f"a.{suffix}", sound(20_000)))
    expected = [_hash_of_reads(recording, seed) for seed in range(4)]
    # The parent has the file open: forked children share its position.
    with multiprocessing.get_context("fork").Pool(2) as pool:
        waiting = pool.starmap_async(_hash_of_reads, [(recording, seed) for seed in range(4)])
        mine = [_hash_of_reads(recording, seed) for seed in range(4)]
        assert waiting.get(60) == expected == mine
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(_hash_of_reads, [recording] * 4, range(4))) == expected


def test_a_recording_is_small_to_send(tmp_path: Path) -> None:
    recording = one(write(tmp_path / "a.wav", sound(20_000)))
    recording.read(0, 10)
    assert len(pickle.dumps(recording)) < 2000


def test_names_of_all_kinds(tmp_path: Path) -> None:
    written = sound(100)
    source = write(tmp_path / "plain.wav", written)
    for name in (
        b"-rf.wav",
        "naïve ☃.wav".encode(),
        b"two\nlines.wav",
        b"\xff\xfe latin.wav",
        b"x" * 251 + b".wav",
    ):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(source.read_bytes())
        assert one(path).length == 100


def _sparse(path: Path, frames: int, tail: Array) -> Path:
    """RF64 of 16 bits, silent but for its last samples, without taking up the disk."""
    size = 2 * frames
    fmt = b"fmt " + (16).to_bytes(4, "little") + bytes.fromhex("0100 0100 401f0000 803e0000 0200 1000")
    sizes = (size + 72).to_bytes(8, "little") + size.to_bytes(8, "little") + frames.to_bytes(8, "little")
    head = b"RF64\xff\xff\xff\xffWAVE" + b"ds64" + (28).to_bytes(4, "little") + sizes + bytes(4) + fmt
    with path.open("wb") as file:
        file.write(head + b"data\xff\xff\xff\xff")
        file.seek(size - tail.nbytes, os.SEEK_CUR)
        file.write(tail.tobytes())
    return path


def test_a_file_of_more_than_4_gb(tmp_path: Path) -> None:
    tail = np.arange(1, 101, dtype="<i2")
    frames = 2_300_000_000
    recording = one(_sparse(tmp_path / "a.rf64", frames, tail))
    assert (recording.length, recording.status) == (frames, "ok")
    assert (recording.read(frames - 100, 500).values[0] * 2**15 == tail).all()
    first = next(recording.blocks(4096))
    assert first.values.shape == (1, 4096) and not first.values.any()


def test_a_size_that_a_pipe_left_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(1000))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    for unknown in (0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF - 36):
        content[at : at + 4] = unknown.to_bytes(4, "little")
        path.write_bytes(content)
        assert (one(path).status, one(path).length) == ("ok", 1000)


def test_flac_of_undeclared_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", sound(10_000))
    values, _ = joined(one(path))
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert sf.info(path).frames > 1 << 60
    recording = one(path)
    assert (recording.length, recording.status) == (10_000, "ok")
    assert (joined(recording)[0] == values).all()


def test_mp3_without_a_length_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", sound(40_000), bitrate_mode="CONSTANT", compression_level=0.99)
    recording = one(path)
    assert recording.status == "ok"
    assert 40_000 <= recording.length < 43_000
    check_reads(recording, 500, 1e-6)
    rng = np.random.default_rng(0)
    quiet = np.concatenate([0.001 * rng.standard_normal(40_000), 0.3 * rng.standard_normal(40_000)])
    path = write(tmp_path / "b.mp3", quiet, 44_100, bitrate_mode="VARIABLE", compression_level=0.3)
    assert one(path).length == 80_000
    content = path.read_bytes()
    path.write_bytes(content[content.index(content[:2], 4) :])
    # Its length would be a guess, here of a third.
    assert fault(path).code == "unsupported"
