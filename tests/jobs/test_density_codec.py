"""Code lengths of series are those of their whole numbers of steps."""

from __future__ import annotations

import numpy as np
import pytest

from seqflow.codec import flac_bits
from seqflow.data.recording import ArrayRecording
from seqflow.jobs.density_codec import code_lengths
from seqflow.jobs.density_windows import HeldOut


def held(values: np.ndarray, step: float | None, kind: str = "series", window: int = 64) -> HeldOut:
    recording = ArrayRecording(values, kind=kind, rate=100.0, step=step)  # type: ignore[arg-type]
    starts = np.arange(0, values.shape[1] - window + 1, window)
    x = np.stack([values[:, start : start + window] for start in starts])
    which = np.zeros(len(x), dtype=np.int64)
    steps = np.full(len(x), step or 0.0)
    return HeldOut(x, which, starts, steps, ({},), (recording,))


@pytest.mark.parametrize(("spread", "depth"), [(40, 16), (400_000, 24)])
def test_a_series_is_counted_in_its_steps(spread: int, depth: int) -> None:
    codes = np.random.default_rng(0).integers(-spread, spread, (2, 640))
    codes[:, 0] = 0
    rows = code_lengths(held(0.25 * codes + 7.1, 0.25), 100.0)
    assert [row.model for row in rows] == ["FLAC, the windows joined", "FLAC, whole recordings"]
    assert rows[0].value == flac_bits([np.split(codes, 10, axis=1)], depth, 100.0)
    assert rows[1].value == flac_bits([[codes]], depth, 100.0)


def test_where_there_is_no_code() -> None:
    values = np.random.default_rng(0).integers(-9, 9, (1, 640)).astype(np.float64)
    assert code_lengths(held(values, None), None) == []
    assert code_lengths(held(values * 1e7, 1.0), None) == []  # more than 24 bits
    assert code_lengths(held(np.repeat(values, 9, axis=0), 1.0), None) == []
    whole = held(values, 1.0)
    gap = np.array(values)
    gap[0, 5] = np.nan
    with_gap = HeldOut(whole.x, whole.which, whole.position, whole.step, ({},), held(gap, 1.0).recordings)
    assert [row.model for row in code_lengths(with_gap, None)] == ["FLAC, the windows joined"]


def test_sound_keeps_its_full_scale() -> None:
    codes = np.random.default_rng(0).integers(-3000, 3000, (1, 640))
    rows = code_lengths(held(codes / 2.0**15, 2.0**-15, "audio"), 8000.0)
    assert rows[1].value == flac_bits([[codes]], 16, 8000.0)
