"""Shared by the tests of audio files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from seqflow.data.audio import open_audio
from seqflow.data.recording import Recording
from seqflow.errors import InputError

Array = NDArray[Any]


def sound(frames: int, channels: int = 1, rate: int = 8000, seed: int = 0) -> Array:
    """Tones that glide, noise that comes and goes, clicks: (n, C), within ±1, other in every channel."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames) / rate
    columns = []
    for c in range(channels):
        tone = 0.3 * np.sin(2 * np.pi * (180.0 + 40.0 * c) * time * (1.0 + 0.1 * np.sin(time)))
        noise = 0.1 * rng.standard_normal(frames) * (np.sin(3.0 * time + c) > 0)
        tone[:: max(1, rate // 3)] += 0.4
        columns.append(tone + noise)
    return np.stack(columns, 1).clip(-0.99, 0.99)


def write(path: Path, values: Array, rate: int = 8000, **options: Any) -> Path:
    sf.write(path, values, rate, **options)
    return path


def one(path: Path | str, **options: Any) -> Recording:
    defaults: dict[str, Any] = {
        "name": "it",
        "rate": None,
        "channels": "all",
        "step": "auto",
        "resample": "soxr",
    }
    return open_audio(path, **{**defaults, **options})


def fault(path: Path | str, **options: Any) -> InputError:
    """The error of a file that must be refused, or whose reading must fail; on one line."""
    with pytest.raises(InputError) as caught:
        joined(one(path, **options))
    assert "\n" not in str(caught.value)
    assert caught.value.path == str(path)
    return caught.value


def joined(recording: Recording, frames: int = 1000) -> tuple[Array, Array]:
    """All values and masks (C, n), from blocks that are all full but the last."""
    blocks = list(recording.blocks(frames))
    assert all(b.values.shape == b.mask.shape for b in blocks)
    assert all(b.values.shape[1] == frames for b in blocks[:-1])
    assert all(0 < b.values.shape[1] <= frames for b in blocks[-1:])
    empty = np.zeros((recording.channels, 0))
    values = np.concatenate([b.values for b in blocks], 1) if blocks else empty
    mask = np.concatenate([b.mask for b in blocks], 1) if blocks else empty.astype(bool)
    assert values.shape[0] == recording.channels
    assert np.isfinite(values).all()
    assert not values[~mask].any()
    return values, mask


def check_reads(
    recording: Recording, frames: int, tolerance: float = 0.0, starts: Sequence[int] = (), count: int = 30
) -> None:
    """`read` gives what the joined blocks have there, wherever it starts and whatever was read before."""
    values, mask = joined(recording)
    length = recording.length
    assert values.shape[1] == length
    rng = np.random.default_rng(1)
    near_end = length - rng.integers(1, min(length, 3 * frames) + 1, count // 2)
    fixed = [0, 1, 2, length // 2, length // 2 + 1, length // 2 - 1, length - 1, length - 2, length - 1, 0]
    for start in [*fixed, *starts, *rng.integers(0, length, count).tolist(), *near_end.tolist()]:
        if not 0 <= start < length:
            continue
        block = recording.read(start, frames)
        expected = values[:, start : start + frames]
        assert block.values.shape == expected.shape, start
        assert block.values.dtype == values.dtype
        assert np.abs(block.values - expected).max() <= tolerance, start
        assert (block.mask == mask[:, start : start + frames]).all(), start
    for start in (length, length + 5):
        assert recording.read(start, frames).values.shape == (recording.channels, 0)
    assert recording.read(0, 0).values.shape == (recording.channels, 0)
