"""FLAC sizes are those of files that decode to the same codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from seqflow.codec import flac_bits, frame_bits, pcm_depth


@pytest.mark.parametrize(
    ("step", "depth"),
    [(2.0**-15, 16), (2.0**-7, 16), (3 * 2.0**-15, 16), (2.0**-23, 24), (2.0**-31, None), (0.001, None)],
)
def test_depth(step: float, depth: int | None) -> None:
    assert pcm_depth(step) == depth


@pytest.mark.parametrize(("depth", "channels"), [(16, 1), (24, 2)])
def test_size_is_that_of_a_file_with_these_codes(tmp_path: Path, depth: int, channels: int) -> None:
    rng = np.random.default_rng(0)
    top = 2 ** (depth - 1)
    codes = np.clip(rng.normal(0, top / 50, (channels, 9000)).round(), -top, top - 1).astype(np.int64)
    codes[:, :2] = [-top, top - 1]
    path = tmp_path / "x.flac"
    soundfile.write(
        path, (codes.T << (32 - depth)).astype(np.int32), 8000, f"PCM_{depth}", compression_level=1.0
    )
    back = soundfile.read(path, dtype="int32", always_2d=True)[0].T >> (32 - depth)
    assert (back == codes).all()
    expected = 8.0 * path.stat().st_size / codes.size
    # However the signal comes in blocks.
    for cuts in ([], [1, 4096, 5000]):
        assert flac_bits([np.split(codes, cuts, axis=1)], depth, 8000.0) == expected


def test_noise_costs_no_less_than_its_entropy_and_silence_little() -> None:
    noise = np.random.default_rng(1).integers(-128, 128, (1, 1 << 16))
    assert 8.0 < flac_bits([[noise]], 16) < 9.0
    assert flac_bits([[noise * 0]], 16) < 0.1


def test_nothing_has_no_size() -> None:
    with pytest.raises(ValueError, match="no samples"):
        flac_bits([[]], 16)


@pytest.mark.parametrize("depth", [16, 24])
def test_frames_are_a_file_without_its_header(tmp_path: Path, depth: int) -> None:
    rng = np.random.default_rng(2)
    codes = rng.normal(0, 300, 1000).round().astype(np.int64)
    path = tmp_path / "x.flac"
    soundfile.write(
        path, (codes << (32 - depth)).astype(np.int32), 8000, f"PCM_{depth}", compression_level=1.0
    )
    content = path.read_bytes()
    # The frames begin with their sync code, the first one behind all blocks of the header.
    frames = content[content.index(b"\xff\xf8") :]
    assert frame_bits(codes, depth) == 8 * len(frames)
    assert frame_bits(codes, depth) < frame_bits(rng.permutation(7 * codes), depth)
