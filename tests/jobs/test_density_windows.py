"""Held-out windows lie where they may, and are the same for all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqflow.data.recording import ArrayRecording
from seqflow.errors import UsageError
from seqflow.jobs.density_windows import choose, dithered, fitted_to, held_out, runs, stretches


class Labelled(ArrayRecording):
    """An array with labels."""

    def __init__(self, values: np.ndarray, flags: np.ndarray, **keys: object) -> None:
        super().__init__(values, **keys)  # type: ignore[arg-type]
        self.flags = flags

    def labels(self) -> np.ndarray:
        return self.flags


@given(
    st.lists(
        st.lists(st.sampled_from(["ok", "ok", "ok", "gap", "odd"]), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 6),
    st.integers(1, 20),
)
@settings(max_examples=150, deadline=None)
def test_windows_are_whole_normal_and_spread(kinds: list[list[str]], length: int, count: int) -> None:
    recordings, good = [], []
    for index, marks in enumerate(kinds):
        values = 100.0 * index + np.arange(len(marks), dtype=np.float64)
        values[[mark == "gap" for mark in marks]] = np.nan
        odd = np.array([mark == "odd" for mark in marks])
        recordings.append(Labelled(values, odd))
        good += [
            (index, start)
            for start in range(len(marks) - length + 1)
            if set(marks[start : start + length]) == {"ok"}
        ]
    found = choose(recordings, length, count)
    if not good:
        assert found is None
        return
    assert found is not None
    places = list(zip(found.which.tolist(), found.position.tolist(), strict=True))
    assert len(places) == len(set(places)) == min(count, len(good))
    assert places == sorted(places) and set(places) <= set(good)
    assert places[0] == good[0] and (count == 1 or places[-1] == good[-1])
    for (index, start), window in zip(places, found.x, strict=True):
        assert (window[0] == 100.0 * index + start + np.arange(length)).all()


def test_a_gap_in_one_channel_is_a_gap() -> None:
    values = np.zeros((2, 10))
    values[1, 4] = np.inf
    assert list(runs(ArrayRecording(values))) == [(0, 4), (5, 10)]
    labelled = Labelled(values, np.arange(10) == 7)
    assert list(runs(labelled)) == [(0, 4), (5, 10)]
    assert list(runs(labelled, normal=True)) == [(0, 4), (5, 7), (8, 10)]


def test_positions_are_those_in_the_whole_recording() -> None:
    part = ArrayRecording(np.arange(50.0), step=0.5).part(20, 50)
    found = choose([part], 10, 3)
    assert found is not None
    assert found.position.tolist() == [20, 30, 40]
    assert found.x[:, 0, 0].tolist() == [20.0, 30.0, 40.0]
    assert found.log_step is not None and np.allclose(found.log_step, np.log(0.5))


def test_one_recording_without_a_step_leaves_none_for_all() -> None:
    found = choose([ArrayRecording(np.arange(9.0), step=1.0), ArrayRecording(np.arange(9.0))], 4, 5)
    assert found is not None and found.log_step is None
    assert set(found.step.tolist()) == {0.0, 1.0}


def parts(**lengths: int) -> SimpleNamespace:
    names = ("train", "valid", "calibration", "test")
    return SimpleNamespace(
        **{name: [ArrayRecording(np.arange(float(lengths.get(name, 0))), name=name)] for name in names}
    )


@pytest.mark.parametrize(
    ("lengths", "asked", "used"),
    [
        ({"test": 9, "valid": 9}, "auto", "test"),
        ({"test": 3, "valid": 9}, "auto", "valid"),
        ({"calibration": 9}, "auto", "calibration"),
        ({"test": 9, "valid": 9}, "valid", "valid"),
    ],
)
def test_the_part(lengths: dict[str, int], asked: str, used: str) -> None:
    assert held_out(parts(**lengths), asked, 8, 4)[1] == used  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["auto", "test"])
def test_no_window_at_all(asked: str) -> None:
    with pytest.raises(UsageError, match="no whole window of 8"):
        held_out(parts(test=7), asked, 8, 4)  # type: ignore[arg-type]


def test_references_see_neither_test_data_nor_what_is_measured() -> None:
    every = parts(train=9, valid=9, calibration=9, test=9)
    names = [one.name for one in fitted_to(every, "test")]  # type: ignore[arg-type]
    assert names == ["calibration", "train", "valid"]
    assert [one.name for one in fitted_to(every, "valid")] == ["calibration", "train"]  # type: ignore[arg-type]


def test_stretches_are_what_lies_between_gaps_with_noise_of_a_step(tmp_path: Path) -> None:
    values = np.arange(600_000, dtype=np.float64)
    values[10:20] = np.nan
    found = stretches([ArrayRecording(values, step=1.0)], np.random.default_rng(0))
    assert [one.shape[1] for one in found] == [10, 1 << 18, 1 << 18, 600_000 - 20 - (1 << 19)]
    kept = values[np.isfinite(values)]
    joined = np.concatenate(found, axis=1)[0]
    assert ((joined >= kept) & (joined < kept + 1.0)).all()
    assert (dithered(values[:5], 0.0, np.random.default_rng(0)) == values[:5]).all()


def test_of_very_much_data_pieces_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqflow.jobs.density_windows._LONGEST", 100)
    monkeypatch.setattr("seqflow.jobs.density_windows._MOST", 1000)
    found = stretches([ArrayRecording(np.arange(10_000.0))], np.random.default_rng(0))
    starts = [one[0, 0] for one in found]
    assert sum(one.shape[1] for one in found) == 1000
    assert (np.diff(starts) == 1000.0).all()
