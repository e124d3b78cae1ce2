"""Named states of recordings: silence, constants, clipping, dead channels, offsets, missing samples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.scoring.states import StateTracker, Verdict

RNG = np.random.default_rng(0)
SOUND = 0.1 * RNG.standard_normal(4000)
TONE = np.sin(np.arange(4000) / 8)


def state(
    values: np.ndarray, *, audio: bool = True, window: int = 8, windows: int = 1, **keys: object
) -> Verdict:
    array = np.atleast_2d(np.asarray(values, dtype=float))
    mask = np.isfinite(array)
    tracker = StateTracker(len(array), audio, -90.0, **keys)  # type: ignore[arg-type]
    tracker.add(np.where(mask, array, 0.0), mask)
    return tracker.verdict(window, windows)


def test_nothing_to_say_of_a_normal_recording() -> None:
    assert state(SOUND) == Verdict("ok", "", True)


@pytest.mark.parametrize(
    ("values", "status", "detail"),
    [
        (np.empty(0), "too_short", "0 samples, a window has 8"),
        (SOUND[:1], "too_short", "1 sample, a window has 8"),
        (SOUND[:7], "too_short", "7 samples"),
        (np.zeros(100), "silent", "below -90 dB"),
        (1e-5 * np.sin(np.arange(100)), "silent", "below -90 dB"),
        (np.full(100, 0.25), "constant", "one value"),
        (np.full(100, np.nan), "nonfinite", "channel 0 has no valid sample in 100"),
        (np.stack([SOUND, np.full(4000, np.nan)]), "nonfinite", "channel 1 has no valid sample"),
    ],
)
def test_states_without_a_score(values: np.ndarray, status: str, detail: str) -> None:
    found = state(values)
    assert (found.status, found.scored) == (status, False)
    assert detail in found.detail


def test_no_window_of_valid_samples_is_left() -> None:
    holes = SOUND.copy()
    holes[::5] = np.nan
    found = state(holes, windows=0)
    assert found == Verdict("nonfinite", "800 of 4000 samples invalid, no 8 valid ones in a row", False)


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (np.where(np.arange(4000) == 9, np.nan, SOUND), "nonfinite"),
        (np.stack([SOUND, np.zeros(4000)]), "dead_channel"),
        (np.clip(TONE, -0.5, 0.5), "clipped"),
        (np.clip(TONE, -0.5, 9.0), "clipped"),
        (SOUND + 0.06, "dc_offset"),
    ],
)
def test_states_with_a_score(values: np.ndarray, status: str) -> None:
    found = state(values)
    assert (found.status, found.scored) == (status, True)
    assert found.detail.startswith(f"{status}: ")


def test_a_recording_of_several_ills_lists_them_all() -> None:
    ill = np.stack([np.clip(TONE, -0.5, 0.5), np.full(4000, 0.3)])
    ill[0, 5] = np.nan
    found = state(ill, channel_names=("left", "right"))
    assert found.status == "dead_channel"
    assert [part.split(":")[0] for part in found.detail.split("; ")] == [
        *("dead_channel", "clipped", "dc_offset", "nonfinite")
    ]
    assert "channel right" in found.detail


@pytest.mark.parametrize(
    "values",
    [
        0.5 * np.sin(2 * np.pi * np.arange(4000) / 400),  # a slow sine lingers at its peaks, but not in runs
        SOUND + 0.01,
        np.sign(SOUND) * 0.05,  # two levels, far below full scale
    ],
)
def test_harmless_recordings_are_not_given_a_name(values: np.ndarray) -> None:
    assert state(values).status == "ok"


def test_sensors_know_no_full_scale() -> None:
    for values in (np.zeros(100) + 1e-9 * RNG.standard_normal(100), np.clip(SOUND, -0.1, 0.1), SOUND + 1e6):
        assert state(values, audio=False) == Verdict("ok", "", True)
    assert state(np.zeros(100), audio=False).status == "constant"


def test_a_fault_of_the_file_comes_first() -> None:
    tracker = StateTracker(1, True, -90.0)
    tracker.add(SOUND[None], np.ones((1, 4000), dtype=bool))
    fault = ("truncated", "4000 of 8000 samples")
    assert tracker.verdict(8, 1, fault) == Verdict("truncated", "truncated: 4000 of 8000 samples", True)
    refused = tracker.verdict(5000, 0, fault)
    assert (refused.status, refused.scored) == ("too_short", False)
    assert "truncated: 4000 of 8000 samples" in refused.detail


@given(
    st.lists(st.sampled_from([-1.0, -0.2, 0.5, 1.0]), min_size=1, max_size=60), st.lists(st.integers(0, 60))
)
def test_clipping_is_counted_alike_however_the_recording_is_cut(values: list[float], cuts: list[int]) -> None:
    x = np.array([values])
    edges = sorted({0, x.shape[1], *(min(cut, x.shape[1]) for cut in cuts)})
    parts = StateTracker(1, True, -90.0)
    for a, b in pairwise(edges):
        parts.add(x[:, a:b], np.ones((1, b - a), dtype=bool))
    expected = 0
    for extreme in {x.max(), x.min()}:
        change = np.diff(np.r_[0, x[0] == extreme, 0].astype(int))
        runs = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
        expected += int(runs[runs >= 3].sum()) if abs(extreme) >= 0.1 else 0
    if len(set(values)) > 1:
        text = f"{expected} samples in runs at the highest or lowest value"
        assert (text in parts.verdict(1, 1).detail) == (expected > 0)
