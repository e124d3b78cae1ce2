"""Every corruption does what it says, at the strength it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from seqflow.corruptions import CORRUPTIONS, corrupt

Array = NDArray[np.float64]
RATE, LENGTH, STEP = 8000.0, 8000, 2.0**-15
AT_SNR = ("tone", "noise", "hum", "transient", "bearing")


def sound(seed: int = 0, length: int = LENGTH, level: float = 0.05, offset: float = 0.0) -> Array:
    """Two channels of noise, the second twice as loud."""
    white = np.random.default_rng(seed).standard_normal((2, length))
    return offset + level * np.array([[1.0], [2.0]]) * white


def made(name: str, x: Array, seed: int = 3, **keys: object) -> Array:
    return np.asarray(corrupt(x, name, np.random.default_rng(seed), **keys))  # type: ignore[arg-type]


def decibels(ratio: Array) -> Array:
    return np.asarray(10.0 * np.log10(ratio))


@pytest.mark.parametrize("rate", [RATE, 0.01, None])
@pytest.mark.parametrize("length", [16, 17, 1000])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_shape_dtype_and_seed(name: str, length: int, rate: float | None) -> None:
    x = sound(length=length).astype(np.float32)
    before = x.copy()
    y = made(name, x, rate=rate)
    assert y.shape == x.shape and y.dtype == x.dtype and np.isfinite(y).all()
    assert np.array_equal(x, before)
    assert not np.array_equal(y, x)
    assert np.array_equal(y, made(name, x, rate=rate))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_other_seeds_give_others_where_there_is_chance(name: str) -> None:
    x = sound()
    same = np.array_equal(made(name, x, seed=1), made(name, x, seed=2))
    fixed = {"silence", "attenuation", "clipping", "low_pass", "sample_hold", "time_reversal", "pitch_shift"}
    assert same == (name in fixed)


@pytest.mark.parametrize("name", sorted({*CORRUPTIONS} - {"silence", "dropout"}))
def test_strengths_are_relative_to_the_recording(name: str) -> None:
    x = sound()
    # Ten times as loud, and for sensors at another offset: the same corruption.
    assert np.allclose(made(name, 100.0 + 10.0 * x), 100.0 + 10.0 * made(name, x), atol=1e-9)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_on_the_lattice_and_within_full_scale(name: str) -> None:
    codes = np.round(sound(level=0.2) / STEP)
    x = (np.clip(codes, -32768, 32767) * STEP).astype(np.float32)
    y = made(name, x, step=STEP, full_scale=True)
    assert np.array_equal(y / STEP, np.round(y / STEP))
    assert y.min() >= -1.0 and y.max() <= 1.0 - STEP
    shifted = x + np.float32(0.25 * STEP)
    y = made(name, shifted, step=STEP)
    assert np.array_equal((y - 0.25 * STEP) / STEP, np.round((y - 0.25 * STEP) / STEP))


def test_what_lies_beyond_full_scale_stays_as_far() -> None:
    x = sound(level=1.0)
    y = made("noise", x, full_scale=True)
    free = made("noise", x)
    assert free.min() < x.min() < -1.0 and free.max() > 1.0
    assert np.array_equal(y, free.clip(x.min(), x.max()))


@pytest.mark.parametrize("rate", [RATE, 100.0, None])
@pytest.mark.parametrize("name", AT_SNR)
def test_signal_to_noise_ratio(name: str, rate: float | None) -> None:
    x = sound(offset=7.0)
    added = made(name, x, rate=rate) - x
    assert decibels(x.var(axis=1) / (added**2).mean(axis=1)) == pytest.approx([10.0, 10.0], abs=1e-6)


def test_the_ratio_survives_sixteen_bits() -> None:
    x = np.round(sound() / STEP) * STEP
    added = made("noise", x, step=STEP, full_scale=True) - x
    assert decibels(x.var(axis=1) / (added**2).mean(axis=1)) == pytest.approx([10.0, 10.0], abs=0.05)


def test_a_tone_is_one_frequency_in_its_range() -> None:
    x = sound()
    power = np.abs(np.fft.rfft(np.hanning(LENGTH) * (made("tone", x) - x))) ** 2
    peak = int(power[0].argmax())
    assert 0.03 <= peak / LENGTH <= 0.45
    assert power[0, peak - 3 : peak + 4].sum() > 0.999 * power[0].sum()


@pytest.mark.parametrize(
    ("rate", "pitch"), [(8000.0, 50.0 / 8000.0), (16000.0, 50.0 / 16000.0), (None, 1 / 160)]
)
def test_hum_is_harmonics_of_the_mains(rate: float | None, pitch: float) -> None:
    x = sound(length=16000)
    power = np.abs(np.fft.rfft(made("hum", x, rate=rate) - x)) ** 2
    lines = np.round(pitch * 16000 * np.arange(1, 6)).astype(int)
    assert power[0, lines].sum() > 0.999 * power[0].sum()
    assert power[0, lines] / power[0, lines[0]] == pytest.approx(1.0 / np.arange(1, 6) ** 2, rel=1e-6)


def test_noise_is_white_and_of_its_own_in_every_channel() -> None:
    x = sound()
    added = made("noise", x) - x
    assert abs(np.corrcoef(added)[0, 1]) < 0.05
    quarters = (np.abs(np.fft.rfft(added[0]))[1:] ** 2).reshape(4, -1).sum(axis=1)
    assert quarters / quarters.mean() == pytest.approx(np.ones(4), abs=0.15)


def test_silence_is_silent() -> None:
    assert not made("silence", sound(offset=3.0)).any()


def test_attenuation_in_decibels() -> None:
    x = sound(offset=3.0)
    y = made("attenuation", x)
    assert decibels(x.var(axis=1) / y.var(axis=1)) == pytest.approx([20.0, 20.0])
    assert y.mean(axis=1) == pytest.approx(x.mean(axis=1))


def test_clipping_cuts_and_leaves_the_rest() -> None:
    x = sound(offset=3.0)
    centred, found = (one - x.mean(axis=1, keepdims=True) for one in (x, made("clipping", x)))
    peaks = np.abs(centred).max(axis=1) / np.abs(found).max(axis=1)
    assert 2.0 * decibels(peaks) == pytest.approx([12.0, 12.0])
    limit = np.abs(found).max(axis=1, keepdims=True)
    inside = np.abs(centred) < limit * 0.999
    assert np.allclose(found[inside], centred[inside])
    assert np.allclose(np.abs(found[~inside]), np.broadcast_to(limit, x.shape)[~inside], rtol=2e-3)


def test_low_pass_removes_what_is_above_its_edge() -> None:
    x = sound(offset=3.0)
    before, after = (np.abs(np.fft.rfft(one - 3.0)) ** 2 for one in (x, made("low_pass", x)))
    pitch = np.fft.rfftfreq(LENGTH)
    above, below = pitch > 0.16, (pitch > 0.0) & (pitch < 0.1)
    assert (decibels(after[:, above].sum(axis=1) / before[:, above].sum(axis=1)) < -30.0).all()
    assert decibels(after[:, below].sum(axis=1) / before[:, below].sum(axis=1)) == pytest.approx(
        [0, 0], abs=0.1
    )


@pytest.mark.parametrize("seed", range(5))
def test_dropout_is_five_gaps_of_a_tenth(seed: int) -> None:
    x = sound(offset=3.0)
    y = made("dropout", x, seed=seed)
    gone = (y == 0.0).all(axis=0)
    assert gone.mean() == pytest.approx(0.1)
    assert np.array_equal(y[:, ~gone], x[:, ~gone])
    assert [gone[start : start + 1600].sum() for start in range(0, LENGTH, 1600)] == [160] * 5


def test_a_click_is_short_and_as_high_as_it_says() -> None:
    x = sound()
    added = made("click", x) - x
    at = np.flatnonzero(added[0])
    assert at[-1] - at[0] < 48
    assert np.abs(added).max(axis=1) == pytest.approx(10.0 * x.std(axis=1))
    # Attacks at once and dies away.
    assert int(np.abs(added[0]).argmax()) == at[0]


def test_sample_hold_keeps_every_fourth() -> None:
    x = sound(length=1002)
    y = made("sample_hold", x)
    assert np.array_equal(y[:, ::4], x[:, ::4])
    for later in (1, 2, 3):
        held = y[:, later::4]
        assert np.array_equal(held, x[:, ::4][:, : held.shape[1]])


def test_time_reversal_twice_is_the_identity() -> None:
    x = sound()
    once = made("time_reversal", x)
    assert not np.allclose(once, x)
    assert np.array_equal(made("time_reversal", once), x)


def test_pitch_shift_lowers_by_four_semitones() -> None:
    time = np.arange(LENGTH)
    x = 5.0 + np.stack([np.sin(2 * np.pi * 0.1 * time), np.sin(2 * np.pi * 0.05 * time)])
    y = made("pitch_shift", x)
    power = np.abs(np.fft.rfft(np.hanning(LENGTH) * (y - 5.0))) ** 2
    factor = 2.0 ** (-4.0 / 12.0)
    assert power.argmax(axis=1) / LENGTH == pytest.approx([0.1 * factor, 0.05 * factor], abs=1.5 / LENGTH)
    # At its old level, away from the ends.
    assert y[:, 500:-500].std(axis=1) == pytest.approx(x.std(axis=1), rel=0.01)


def test_a_transient_is_a_burst_over_a_twentieth() -> None:
    x = sound()
    added = made("transient", x) - x
    at = np.flatnonzero(added[0])
    assert at[-1] - at[0] < 400
    power = added[0, at[0] : at[0] + 400] ** 2
    assert power[:100].sum() > 20.0 * power[100:].sum()


def test_bearing_strikes_at_its_pace() -> None:
    x = sound()
    added = (made("bearing", x) - x)[0]
    strikes = np.flatnonzero(added > 0.9 * added.max())
    strikes = strikes[np.diff(strikes, prepend=-80) > 8]
    gaps = np.diff(strikes)
    assert len(strikes) in range(95, 106)
    assert gaps.mean() == pytest.approx(80.0, rel=0.02) and 0.5 < gaps.std() < 4.0


def test_drift_is_a_line_to_two_deviations() -> None:
    x = sound()
    added = made("drift", x) - x
    assert np.abs(added[:, -1]) == pytest.approx(2.0 * x.std(axis=1))
    assert np.allclose(np.diff(added, n=2), 0.0, atol=1e-12) and np.allclose(added[:, 0], 0.0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(100), "must be \\(C, T\\)"),
        (np.zeros((1, 15)), "16 or more"),
        (np.full((1, 100), np.nan), "must be finite"),
    ],
)
def test_what_cannot_be_corrupted(x: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made("tone", x)
    with pytest.raises(KeyError):
        made("nothing", sound())
