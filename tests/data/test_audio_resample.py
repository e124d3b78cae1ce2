"""Recordings at another rate: as if the whole file had been resampled at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from audio_files import check_reads, fault, joined, one, sound, write
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.resample import Resampler


@pytest.mark.parametrize(
    ("source", "target", "tolerance"),
    [
        (44_100, 16_000, 1e-6),
        (16_000, 44_100, 1e-6),
        (48_000, 16_000, 1e-6),
        (8000, 16_000, 1e-6),
        (192_000, 8000, 1e-6),
        (44_100, 48_000, 1e-6),
        (11_127, 16_000, 1e-5),
        (16_000, 11_127, 1e-5),
        (44_100, 44_099, 1e-5),
        (8000, 8000.5, 1e-5),
    ],
)
def test_blocks_and_reads_are_those_of_the_whole(
    tmp_path: Path, source: int, target: float, tolerance: float
) -> None:
    frames = source + 123
    written = sound(frames, 2, source)
    recording = one(write(tmp_path / "a.wav", written, source, subtype="FLOAT"), rate=float(target))
    whole = soxr.resample(written.astype(np.float32), source, target, quality="HQ").T
    assert recording.rate == target
    assert recording.length == whole.shape[1] == int(np.floor(frames * target / source + 0.5))
    values, mask = joined(recording)
    assert mask.all() and values.dtype == np.float32
    assert np.abs(values - whole).max() < tolerance
    check_reads(recording, 400, tolerance, count=10)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_compressed_files(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", sound(60_000, 1, 16_000), 16_000)
    native, _ = joined(one(path))
    recording = one(path, rate=11_025.0)
    values, _ = joined(recording)
    assert np.abs(values - soxr.resample(native.T, 16_000, 11_025, quality="HQ").T).max() < 1e-6
    check_reads(recording, 500, 1e-6, count=10)


def test_blocks_across_stretches(tmp_path: Path) -> None:
    # Longer than what is resampled at a time, with any number of samples in a block.
    written = sound(900_000, 1, 48_000)
    path = write(tmp_path / "a.wav", written, 48_000, subtype="FLOAT")
    whole = soxr.resample(written.astype(np.float32), 48_000, 16_000, quality="HQ").T
    recording = one(path, rate=16_000.0)
    for frames in (777, 1 << 20):
        assert np.abs(joined(recording, frames)[0] - whole).max() < 1e-6


@settings(max_examples=60, deadline=None)
@given(
    source=st.integers(1000, 200_000),
    target=st.integers(1000, 200_000),
    frames=st.integers(1, 3000),
    where=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_any_stretch_at_any_ratio(source: int, target: int, frames: int, where: tuple[float, float]) -> None:
    resampler = Resampler.between(source, target)
    values = sound(frames, 2).astype(np.float32)
    whole = soxr.resample(values, source, target, quality="HQ")
    length = resampler.length(frames)
    assert length == (2 * frames * target + source) // (2 * source)
    start, stop = sorted(round(x * length) for x in where)
    begin, end = resampler.source(start, stop)
    part = values[begin:end]
    out, mask = resampler.apply(part, np.ones(part.shape, bool), start, stop)
    assert out.shape == (stop - start, 2) and mask.all()
    assert len(whole) in (length - 1, length)
    shared = whole[start:stop]
    assert np.abs(out[: len(shared)] - shared).max(initial=0.0) < 2e-5


def test_the_clock_does_not_drift() -> None:
    # Ten hours in, a tone is where it should be.
    resampler = Resampler.between(11_127, 16_000)
    start = 10 * 3600 * 16_000 + 7
    begin, end = resampler.source(start, start + 2000)
    tone = 0.5 * np.sin(2 * np.pi * 1000 / 11_127 * np.arange(begin, end))[:, None]
    out, _ = resampler.apply(tone, np.ones(tone.shape, bool), start, start + 2000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 / 16_000 * np.arange(start, start + 2000))
    assert np.abs(out[:, 0] - expected).max() < 1e-4
    assert start + 2000 <= resampler.length(end)


def test_invalid_samples_spread_no_further_than_the_filter(tmp_path: Path) -> None:
    written = sound(20_000, 2, 16_000)
    broken = written.copy()
    broken[5000:5010, 0] = np.nan
    clean, _ = joined(one(write(tmp_path / "a.wav", written, 16_000, subtype="FLOAT"), rate=8000.0))
    recording = one(write(tmp_path / "b.wav", broken, 16_000, subtype="FLOAT"), rate=8000.0)
    values, mask = joined(recording)
    assert mask[1].all()
    assert (np.flatnonzero(~mask[0]) == np.arange(2500 - 64, 2505 + 64)).all()
    assert np.abs(values - clean)[mask].max() < 1e-3
    check_reads(recording, 300, 1e-6, starts=range(2300, 2700, 37))
    broken[:] = np.nan
    recording = one(write(tmp_path / "b.wav", broken, 16_000, subtype="FLOAT"), rate=8000.0)
    assert not joined(recording)[1].any()


def test_channels_are_chosen_before(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(8000, 3), 8000, subtype="FLOAT")
    every, _ = joined(one(path, rate=5000.0))
    assert np.abs(joined(one(path, rate=5000.0, channels=(2, 0)))[0] - every[[2, 0]]).max() < 1e-6
    assert np.abs(joined(one(path, rate=5000.0, channels="mono"))[0] - every.mean(0)).max() < 1e-6


def test_doubles_stay_doubles(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(8000), 8000, subtype="DOUBLE")
    assert joined(one(path, rate=5000.0))[0].dtype == np.float64


def test_another_rate_is_refused_where_the_recipe_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(100))
    assert fault(path, rate=16_000.0, resample="refuse").code == "wrong_rate"
    assert one(path, rate=8000.0, resample="refuse").length == 100


def test_rates_that_make_no_sense(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sound(100), 20)
    assert fault(path, rate=16_000.0).code == "wrong_rate"
    path = write(tmp_path / "b.wav", sound(1), 192_000)
    assert fault(path, rate=8000.0).code == "too_short"
    with pytest.raises(ValueError, match="factor 256"):
        Resampler.between(16_000, 1)
