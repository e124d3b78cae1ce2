"""Made-up recordings and made-up faults: the same for the same seed, and what they are said to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqflow.data.synthetic import DAY, FAULTS, inject, make_recordings
from seqflow.errors import UsageError
from seqflow.recipe import SyntheticData

GENERATORS = ["sine", "machine", "sensor"]


def made(generator: str, **keys: Any) -> list[np.ndarray]:
    keys = {"recordings": 3, "seconds": 2.0, "window": 64} | keys
    return make_recordings(SyntheticData(kind="synthetic", generator=generator, **keys))


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_same_seed_gives_the_same_recordings(generator: str) -> None:
    one, other, third = made(generator, seed=4), made(generator, seed=4), made(generator, seed=5)
    for a, b, c in zip(one, other, third, strict=True):
        assert np.array_equal(a.values, b.values) and not np.array_equal(a.values, c.values)
        assert a.values.dtype == np.float32 and np.isfinite(a.values).all()
    assert not np.array_equal(one[0].values, one[1].values)
    assert [r.name for r in one] == [f"{generator}-{i:03d}" for i in range(3)]
    # More recordings leave the first as they are.
    assert np.array_equal(made(generator, seed=4, recordings=5)[2].values, one[2].values)


@pytest.mark.parametrize(
    ("generator", "kind", "rate", "channels"),
    [("sine", "series", 1000.0, 1), ("machine", "audio", 16000.0, 2), ("sensor", "series", 100.0, 2)],
)
def test_what_generators_make(generator: str, kind: str, rate: float, channels: int) -> None:
    for recording in made(generator, seconds=5.0):
        assert (recording.kind, recording.rate, recording.channels) == (kind, rate, channels)
        assert recording.length == 5 * rate
        assert (recording.values.std(axis=1) > 0.01).all()
        if kind == "audio":
            assert np.abs(recording.values).max() < 1.0


@given(st.sampled_from(GENERATORS), st.floats(0.5, 1e5), st.integers(0, 2**60))
def test_any_rate_and_seed(generator: str, rate: float, seed: int) -> None:
    (recording,) = made(generator, rate=rate, seconds=500 / rate, recordings=1, seed=seed)
    assert recording.length == 500 and np.isfinite(recording.values).all()


def test_sine_is_three_tones_in_noise() -> None:
    (recording,) = made("sine", recordings=1, seconds=20.0)
    power = np.abs(np.fft.rfft(recording.values[0] * np.hanning(recording.length))) ** 2
    pitch = np.fft.rfftfreq(recording.length)
    near = np.zeros(len(pitch), bool)
    for tone in (0.031, 0.087, 0.171):
        near |= np.abs(pitch / tone - 1) < 0.06
    assert power[near].sum() > 50 * power[~near].sum()


def test_machine_has_its_shaft_and_changes_its_load() -> None:
    (recording,) = made("machine", recordings=1, seconds=8.0, rate=8000.0)
    power = np.abs(np.fft.rfft(recording.values[0])) ** 2
    pitch = np.fft.rfftfreq(recording.length, 1 / 8000.0)
    assert 22 < pitch[1 + power[1:].argmax()] < 27
    level = recording.values[0].reshape(-1, 1600).std(axis=1)
    assert level.max() > 1.3 * level.min()


def test_sensor_has_days_and_lies_on_its_lattice() -> None:
    (recording,) = made("sensor", recordings=1, seconds=DAY * 20 / 100)
    assert recording.step == 1 / 16 and recording.channel_names == ("temperature", "load")
    assert np.array_equal(recording.values * 16, np.round(recording.values * 16))
    x = recording.values[1] - recording.values[1].mean()
    day = (x[:-DAY] * x[DAY:]).mean() / x.var()
    half = (x[: -DAY // 2] * x[DAY // 2 :]).mean() / x.var()
    assert day > 0.4 > half


def test_the_step_of_the_recipe() -> None:
    (rounded,) = made("sine", recordings=1, step=0.01)
    assert rounded.step == 0.01 and np.allclose(
        rounded.values * 100, np.round(rounded.values * 100), atol=1e-4
    )
    assert made("sine", recordings=1)[0].step is None
    (continuous,) = made("sensor", recordings=1, step=0.0)
    assert continuous.step is None
    assert not np.array_equal(continuous.values * 16, np.round(continuous.values * 16))


def test_channels_are_chosen() -> None:
    whole = made("sensor", recordings=1)[0]
    for channels, rows, names in [
        ("first", [0], ("temperature",)),
        (("load", 0), [1, 0], ("load", "temperature")),
        ((1,), [1], ("load",)),
    ]:
        (chosen,) = made("sensor", recordings=1, channels=channels)
        assert np.array_equal(chosen.values, whole.values[rows]) and chosen.channel_names == names
    (mono,) = made("machine", recordings=1, channels="mono")
    assert mono.channels == 1
    assert np.allclose(mono.values[0], made("machine", recordings=1)[0].values.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"channels": ("pressure",)},
            r"data\.channels: there is no channel 'pressure'; .* temperature, load",
        ),
        ({"channels": (2,)}, r"data\.channels: there is no channel 2; there are 0, 1"),
        ({"seconds": 1e-4}, r"data\.seconds: .* less than one sample"),
        ({"recordings": 100_000, "seconds": 36000.0}, r"data\.recordings: .* GiB"),
    ],
)
def test_what_cannot_be_made(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made("sensor", **keys)


@given(st.sampled_from(sorted(FAULTS)), st.integers(0, 2**32), st.integers(16, 3000), st.integers(1, 3))
def test_a_fault_stays_where_it_is_said_to_be(fault: str, seed: int, length: int, channels: int) -> None:
    values = np.random.default_rng(0).standard_normal((channels, length)).astype(np.float32)
    before = values.copy()
    faulty, (start, end) = inject(values, fault, np.random.default_rng(seed), rate=1000.0, strength=2.0)
    assert np.array_equal(values, before)
    assert 0 <= start < end <= length
    assert faulty.shape == values.shape and faulty.dtype == values.dtype and np.isfinite(faulty).all()
    changed = (faulty != values).any(axis=0)
    assert not changed[:start].any() and not changed[end:].any()
    again, place = inject(values, fault, np.random.default_rng(seed), rate=1000.0, strength=2.0)
    assert np.array_equal(again, faulty) and place == (start, end)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_can_be_seen(fault: str) -> None:
    (recording,) = made("machine", recordings=1)
    values = recording.values
    faulty, (start, end) = inject(values, fault, np.random.default_rng(1), rate=16000.0, strength=1.0)
    before, after = values[:, start:end].astype(float), faulty[:, start:end].astype(float)
    spread = values.std(axis=1, keepdims=True)
    match fault:
        case "silence":
            assert not after.any()
        case "dropout":
            assert (after == after[:, :1]).all()
        case "clipping":
            assert (np.ptp(after, axis=1) <= 1.01 * before.std(axis=1)).all()
        case "drift":
            assert end == values.shape[1] and (np.abs(after - before)[:, -1:] > 2.9 * spread).all()
        case "level_shift":
            assert end == values.shape[1] and np.allclose(np.abs(after - before), 3 * spread, rtol=1e-3)
        case "spike":
            assert end - start == 1 and np.allclose(np.abs(after - before), 8 * spread, rtol=1e-3)
        case "bearing":
            peaks = np.flatnonzero(np.abs(after - before)[0] > 2.5 * spread[0])
            gaps = np.diff(peaks)
            assert abs(np.median(gaps[gaps > 20]) - 160) < 10
        case _:
            assert (np.abs(after - before).max(axis=1) > 0.9 * spread[:, 0]).all()


def test_a_fault_keeps_to_the_lattice() -> None:
    (recording,) = made("sensor", recordings=1)
    faulty, _ = inject(recording.values, "noise", np.random.default_rng(2), step=recording.step)
    assert np.array_equal(faulty * 16, np.round(faulty * 16)) and not np.array_equal(faulty, recording.values)


def test_unknown_faults_and_short_recordings() -> None:
    with pytest.raises(UsageError, match=r"no fault 'hum'; there are silence, dropout"):
        inject(np.zeros((1, 100)), "hum", np.random.default_rng(0))
    with pytest.raises(UsageError, match="at least 16 samples"):
        inject(np.zeros((1, 15)), "tone", np.random.default_rng(0))
