"""Levels of bands: white windows come out of voiced ones, and lines are drawn as often as they were seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import fft, special

from seqflow.bijections import LevelPyramid, SpectralPyramid


def uneven(windows: int, length: int, bands: int, deviation: float = 1.0) -> torch.Tensor:
    """Windows of noise, each with levels of its own in bands: white on average; squeezed, (B, 2, T)."""
    rng = np.random.default_rng(4)
    level = deviation * rng.standard_normal((windows, bands))
    coefficients = rng.standard_normal((windows, 2 * length)) * np.exp(level).repeat(2 * length // bands, -1)
    return torch.from_numpy(fft.idct(coefficients, norm="ortho")).unflatten(-1, (length, 2)).mT.contiguous()


def spectrum(x: torch.Tensor) -> np.ndarray:
    """DCT-II of the one channel that two were made of, (B, 2T)."""
    return fft.dct(x.detach().mT.flatten(1).numpy(), norm="ortho")


def band_levels(x: torch.Tensor, bands: int) -> torch.Tensor:
    """Log rms of the bands of that channel, (B, bands)."""
    return 0.5 * torch.from_numpy(spectrum(x)).square().unflatten(-1, (bands, -1)).mean(-1).log()


def test_it_is_the_pyramid_of_the_cosine_transform() -> None:
    """Against a pyramid over time, of one channel, that is given the coefficients and where they lie."""
    torch.manual_seed(0)
    spectral = SpectralPyramid(2, 8, groups=(2,), hidden=3, knots=4).double()
    plain = LevelPyramid(1, 8, halvings=3, hidden=3, knots=4, clock=2).double()
    with torch.no_grad():
        for parameter in spectral.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    plain.load_state_dict(spectral.state_dict())
    x = torch.randn(3, 2, 32, dtype=torch.float64)
    y, log_det = spectral(x)
    span = torch.tensor([[0.0, 1.0]], dtype=torch.float64).expand(3, -1)
    expected, expected_log_det = plain(torch.from_numpy(spectrum(x)).unsqueeze(1), {"span": span})
    assert np.abs(spectrum(y) - expected.detach().squeeze(1).numpy()).max() < 1e-12
    assert (log_det - expected_log_det).abs().max() < 1e-12


def test_bands_come_out_level() -> None:
    x = uneven(512, 64, 8)
    pyramid = SpectralPyramid(2, 8, groups=(2,)).double()
    before, after = band_levels(x, 8), band_levels(pyramid.initialize(x), 8)
    assert before.std() > 0.9
    # What is left are the levels of normal noise of 2 x 8 samples.
    assert after.mean() == pytest.approx(0.5 * (special.digamma(8) - np.log(8)), abs=0.02)
    assert after.std() == pytest.approx(0.5 * special.polygamma(1, 8) ** 0.5, rel=0.1)


def test_lines_are_drawn_as_they_were_seen() -> None:
    x = uneven(512, 64, 8)
    pyramid = SpectralPyramid(2, 8, groups=(2,)).double()
    pyramid.initialize(x)
    with torch.no_grad():
        drawn, _ = pyramid.inverse(torch.randn(512, 2, 64, dtype=torch.float64))
    seen = band_levels(x, 8)
    assert band_levels(drawn, 8).std() == pytest.approx(float(seen.std()), rel=0.1)
    # Normal noise without the layer has a third of it.
    assert band_levels(torch.randn_like(drawn), 8).std() < 0.3 * seen.std()


@pytest.mark.parametrize("length", [64, 128, 100, 5])
def test_a_band_is_as_wide_in_windows_of_any_length(length: int) -> None:
    pyramid = SpectralPyramid(1, 8).double()
    assert pyramid._size(length) == -(-length // 8)
    x = torch.randn(2, 1, length, dtype=torch.float64)
    y, log_det = pyramid(x)
    back, inverse_log_det = pyramid.inverse(y)
    assert (back - x).abs().max() < 1e-10
    assert (log_det + inverse_log_det).abs().max() < 1e-8


def test_it_refuses_what_makes_no_bands() -> None:
    with pytest.raises(ValueError, match="bands"):
        SpectralPyramid(1, 0)
    with pytest.raises(ValueError, match="do not share out"):
        SpectralPyramid(3, 4, groups=(2,))
