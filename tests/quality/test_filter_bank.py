"""Filter banks beside those of others, and levels that are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from seqflow.quality.filter_bank import mel_bank, third_octave_bank

NONE = np.array([1e-30])


def test_mel_filters_are_those_of_torchaudio() -> None:
    torchaudio = pytest.importorskip("torchaudio")
    bank = mel_bank(8000.0, 4096)
    assert (bank.size, bank.hop, bank.weights.shape) == (256, 128, (40, 129))
    theirs = torchaudio.functional.melscale_fbanks(
        129, 0.0, 4000.0, 40, 8000, norm="slaney", mel_scale="slaney"
    ).numpy()
    assert np.allclose(bank.weights, (theirs / theirs.sum(axis=0)).T, atol=1e-6)


def test_levels_are_those_of_librosas_spectrogram(rng: np.random.Generator) -> None:
    x = rng.standard_normal((2, 1, 2048))
    x -= x.mean(axis=-1, keepdims=True)
    bank = mel_bank(8000.0, 2048)
    power = librosa.feature.melspectrogram(
        y=x[:, 0], sr=8000, n_fft=256, hop_length=128, center=False, n_mels=40, norm=None
    )
    weights = librosa.filters.mel(sr=8000, n_fft=256, n_mels=40, norm=None).sum(axis=1)
    wanted = 10 * np.log10(power / weights[:, None] / 96.0)  # Σw² of 256 Hann samples
    assert np.allclose(bank.levels(x, NONE), wanted, atol=1e-3)


@pytest.mark.parametrize("bank", [mel_bank(8000.0, 1024), third_octave_bank(1024)], ids=["mel", "third"])
def test_white_noise_has_its_variance_everywhere(rng: np.random.Generator, bank: object) -> None:
    levels = bank.levels(0.1 * rng.standard_normal((300, 1, 1024)), NONE)  # type: ignore[attr-defined]
    mean = (10 ** (levels.astype(np.float64) / 10)).mean(axis=(0, 2))
    assert np.allclose(mean[1:], 0.01, rtol=0.12)


def test_thirds_of_an_octave_cover_all_but_the_mean() -> None:
    bank = third_octave_bank(4096)
    assert ((bank.weights > 0).sum(axis=0)[1:] == 1).all() and not bank.weights[:, 0].any()
    assert np.allclose(bank.weights.sum(axis=1), 1.0)


def test_silence_has_the_level_of_the_quantisation_and_channels_their_mean(rng: np.random.Generator) -> None:
    bank = third_octave_bank(128)
    assert np.allclose(bank.levels(np.zeros((1, 1, 128)), np.array([1e-4])), -40.0)
    x = rng.standard_normal((4, 2, 128))
    each = [bank.levels(x[:, [channel]], NONE) for channel in (0, 1)]
    assert np.allclose(bank.levels(x, np.array([1e-30, 1e-30])), (each[0] + each[1]) / 2, atol=1e-4)


def test_short_sequences_have_fewer_filters_and_shorter_ones_none() -> None:
    bank = mel_bank(44_100.0, 100)
    assert bank.size == 64 and len(bank.weights) <= 12
    for make in (lambda: mel_bank(8000.0, 15), lambda: third_octave_bank(15)):
        with pytest.raises(ValueError, match="16 or more"):
            make()
