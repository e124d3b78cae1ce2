"""The quantisation step of audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audio_files import one, sound, write
from hypothesis import given, settings
from hypothesis import strategies as st

CODE = 2.0**-15


def codes(frames: int, most: int = 100, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-most, most, frames).astype(np.int16)


@pytest.mark.parametrize(
    ("suffix", "subtype", "step"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("flac", "PCM_S8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("flac", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("flac", "PCM_24", 2**-23),
        ("wav", "PCM_32", 2**-31),
        ("wav", "ULAW", 4 * CODE),
        ("wav", "ALAW", 8 * CODE),
        ("wav", "IMA_ADPCM", CODE),
        ("wav", "FLOAT", None),
        ("wav", "DOUBLE", None),
        ("ogg", "VORBIS", None),
        ("mp3", None, None),
    ],
)
def test_step_of_a_format(tmp_path: Path, suffix: str, subtype: str | None, step: float | None) -> None:
    assert one(write(tmp_path / f"a.{suffix}", sound(9000), subtype=subtype)).step == step


@settings(max_examples=40, deadline=None)
@given(
    step=st.integers(1, 300),
    offset=st.integers(-500, 500),
    frames=st.integers(64, 9000),
    suffix=st.sampled_from(["wav", "flac"]),
)
def test_a_coarser_lattice_in_16_bits(
    tmp_path_factory: pytest.TempPathFactory, step: int, offset: int, frames: int, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("step") / f"a.{suffix}"
    assert one(write(path, codes(frames) * step + np.int16(offset))).step == step * CODE


def test_8_bit_sound_in_a_16_bit_file(tmp_path: Path) -> None:
    assert one(write(tmp_path / "a.wav", codes(9000) * np.int16(256))).step == 256 / 32768


def test_24_bit_sound_in_a_32_bit_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", codes(9000).astype(np.int32) << 8, subtype="PCM_32")
    assert one(path).step == 2**-23


def test_one_fine_sample_in_a_long_file_counts_where_all_is_read(tmp_path: Path) -> None:
    values = codes(200_000) * np.int16(16)
    values[123_456] += 3
    assert one(write(tmp_path / "a.wav", values)).step == CODE


def test_a_long_file_is_judged_by_blocks(tmp_path: Path) -> None:
    values = np.tile(codes(50_000) * np.int16(10), 44)
    assert one(write(tmp_path / "a.wav", values)).step == 10 * CODE
    # Fine only towards its end.
    values[1_500_000:] //= 2
    assert one(write(tmp_path / "a.wav", values)).step == 5 * CODE


def test_silence_and_constants_have_the_step_of_the_format(tmp_path: Path) -> None:
    for value in (0, 1000):
        assert one(write(tmp_path / "a.wav", np.full(5000, value, np.int16))).step == CODE
    assert one(write(tmp_path / "a.wav", np.full(5000, 0.25), subtype="FLOAT")).step is None


def test_a_silent_start(tmp_path: Path) -> None:
    values = np.concatenate([np.zeros(20_000, np.int16), codes(20_000) * np.int16(6)])
    assert one(write(tmp_path / "a.wav", values)).step == 6 * CODE


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_codes_in_a_float_file(tmp_path: Path, subtype: str) -> None:
    fine = np.random.default_rng(1).integers(-(2**23), 2**23, 9000)
    for values, step in (
        (codes(9000) / 2**15, CODE),
        (codes(9000) * 256 / 2**15, 256 * CODE),
        (fine / 2**23, 2**-23),
        (codes(9000).astype(float), 1.0),
        (codes(9000) / 32767.0, None),
        (codes(9000) / 2**15 * 1e30, None),
    ):
        assert one(write(tmp_path / "a.wav", values, subtype=subtype)).step == step
    broken = codes(9000) / 2**15
    broken[[5, 4000]] = np.nan, np.inf
    assert one(write(tmp_path / "a.wav", broken, subtype=subtype)).step == CODE
    assert one(write(tmp_path / "a.wav", np.full(500, np.nan), subtype=subtype)).step is None


def test_the_channels_handed_out_count(tmp_path: Path) -> None:
    stereo = np.stack([codes(5000) * np.int16(256), codes(5000, seed=1)], 1)
    path = write(tmp_path / "a.wav", stereo)
    assert one(path).step == CODE
    assert one(path, channels="first").step == 256 * CODE
    assert one(path, channels=(1,)).step == CODE


def test_mixing_and_resampling_leave_no_lattice(tmp_path: Path) -> None:
    stereo = write(tmp_path / "a.wav", np.stack([codes(5000), codes(5000)], 1))
    single = write(tmp_path / "b.wav", codes(5000))
    assert one(stereo, channels="mono").step is None
    assert one(single, channels="mono").step == CODE
    assert one(single, rate=4000.0).step is None
    assert one(single, rate=8000.0).step == CODE


def test_a_given_step(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", codes(5000))
    assert one(path, step=0.125).step == 0.125
    assert one(path, step=0.0).step is None
    assert one(path, step=0.125, rate=4000.0).step == 0.125


def test_values_lie_on_the_lattice(tmp_path: Path) -> None:
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "ULAW"):
        recording = one(write(tmp_path / "a.wav", sound(3000), subtype=subtype))
        assert recording.step is not None
        levels = recording.read(0, 3000).values / recording.step
        assert (levels == np.round(levels)).all()
