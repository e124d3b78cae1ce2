"""Whitening: against scipy's Gaussian, against a process whose cepstrum is known, and at its edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from seqflow.bijections import Whitening
from seqflow.distributions import Normal
from seqflow.flow import Flow

BOUNDARIES = ("symmetric", "circular", "causal")
ESTIMATES = ("mean_log", "log_mean")


def autoregressive(count: int, length: int, coefficient: float, seed: int = 0) -> Tensor:
    """Windows (B, 1, T) of x_t = a x_{t-1} + e_t, in its stationary state."""
    noise = torch.randn(count, length, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = torch.empty_like(noise)
    x[:, 0] = noise[:, 0] / math.sqrt(1.0 - coefficient**2)
    for t in range(1, length):
        x[:, t] = coefficient * x[:, t - 1] + noise[:, t]
    return x.unsqueeze(1)


def covariance(windows: np.ndarray, boundary: str) -> np.ndarray:
    """Covariance of windows (B, T) that is diagonal in the basis of the boundary."""
    length = windows.shape[-1]
    if boundary == "circular":
        power = (np.abs(np.fft.fft(windows)) ** 2).mean(0) / length
        return scipy.linalg.circulant(np.fft.ifft(power).real)
    basis = scipy.fft.dct(np.eye(length), norm="ortho", axis=0)
    power = ((windows @ basis.T) ** 2).mean(0)
    return basis.T @ np.diag(power) @ basis


@pytest.mark.parametrize("length", [8, 9, 32, 45])
@pytest.mark.parametrize("boundary", ["circular", "symmetric"])
def test_full_length_is_the_gaussian_of_scipy(boundary: str, length: int) -> None:
    windows = 3.0 * autoregressive(200, length, 0.9)
    whitening = Whitening(1, None, boundary, "log_mean", floor_db=math.inf)  # type: ignore[arg-type]
    flow = Flow(whitening, Normal(1), 1).double()
    flow.initialize(windows)
    with torch.no_grad():
        ours = flow.log_prob(windows[:50]).numpy()
    flat = windows[:, 0].numpy()
    theirs = multivariate_normal(np.zeros(length), covariance(flat, boundary)).logpdf(flat[:50])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_cepstrum_of_an_autoregressive_process(boundary: str, estimate: str) -> None:
    a, taps = 0.7, 8
    whitening = Whitening(1, taps, boundary, estimate).double()  # type: ignore[arg-type]
    whitening.initialize(autoregressive(2000, 256, a))
    lags = torch.arange(1, taps, dtype=torch.float64)
    # log(1 - a e^{-iw}) = -sum a^n / n e^{-iwn}; half of each lag goes to either side.
    expected = torch.cat((torch.zeros(1, dtype=torch.float64), -(a**lags) / (2.0 * lags)))
    # A periodogram leaks at the edges of a window: the error is of the order 1 / T.
    assert (whitening.cepstrum[0] - expected).abs().max() < 0.02


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("taps", [1, 16, None])
def test_windows_come_out_with_unit_power(boundary: str, estimate: str, taps: int | None) -> None:
    windows = torch.cat(
        (5.0 * autoregressive(64, 100, 0.95), autoregressive(64, 100, -0.5, 1)), dim=1
    ).float()
    whitening = Whitening(2, taps, boundary, estimate)  # type: ignore[arg-type]
    y = whitening.initialize(windows)
    assert y.dtype == torch.float32
    assert torch.allclose(y.square().mean(dim=(0, 2)), torch.ones(2), atol=1e-4)


@pytest.mark.parametrize("boundary", ["circular", "symmetric"])
def test_the_mean_log_is_free_of_the_bias_of_the_logarithm(boundary: str) -> None:
    white = torch.randn(4000, 1, 65, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    whitening = Whitening(1, None, boundary).double()  # type: ignore[arg-type]
    assert whitening._log_power(white).abs().max() < 0.15
    assert whitening._log_power(white).mean().abs() < 0.01


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("length", [7, 48, 65, 300])
def test_works_at_every_later_length(boundary: str, length: int) -> None:
    whitening = Whitening(1, None, boundary).double()  # type: ignore[arg-type]
    whitening.initialize(autoregressive(300, 64, 0.8))
    x = autoregressive(4, length, 0.8, seed=9)
    with torch.no_grad():
        y, log_det = whitening(x)
        back, log_back = whitening.inverse(y)
    assert (back - x).abs().max() < 1e-8
    assert (log_det + log_back).abs().max() < 1e-9
    assert 0.2 < y.square().mean() < 5.0


def test_the_size_found_by_the_windows_is_stored() -> None:
    whitening = Whitening(1, None)
    windows = autoregressive(50, 40, 0.8).float()
    expected = whitening.initialize(windows)
    twin = Whitening(1, None)
    twin.load_state_dict(whitening.state_dict())
    assert torch.equal(twin(windows)[0], expected)


def test_a_dead_channel_keeps_the_identity() -> None:
    windows = torch.cat((autoregressive(20, 32, 0.5), torch.zeros(20, 1, 32)), dim=1).double()
    whitening = Whitening(2, 8).double()
    y = whitening.initialize(windows)
    assert y.isfinite().all()
    assert torch.equal(whitening.cepstrum[1], torch.zeros(8, dtype=torch.float64))


def test_the_floor_bounds_the_gain() -> None:
    x = torch.sin(torch.arange(64, dtype=torch.float64) * 2.0 * math.pi / 8).expand(10, 1, 64)
    gains = []
    for floor_db in (40.0, 80.0):
        whitening = Whitening(1, None, "circular", "log_mean", floor_db=floor_db).double()
        whitening.initialize(x)
        impulse = torch.zeros(1, 1, 64, dtype=torch.float64)
        impulse[..., 0] = 1.0
        response = torch.fft.rfft(whitening(impulse)[0]).abs()
        gains.append(20.0 * torch.log10(response.max() / response.min()).item())
    assert gains == pytest.approx([40.0, 80.0], abs=1e-6)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_cepstrum_gives_no_number_and_no_error(boundary: str, value: float) -> None:
    whitening = Whitening(1, 4, boundary)  # type: ignore[arg-type]
    with torch.no_grad():
        whitening.cepstrum[0, 1] = value
        assert not whitening(torch.ones(2, 1, 16))[0].isfinite().any()


def test_can_be_frozen() -> None:
    assert not Whitening(1, 4, trainable=False).cepstrum.requires_grad


@pytest.mark.parametrize(
    "flags",
    [{"taps": 0}, {"boundary": "open"}, {"estimate": "median"}, {"floor_db": 0.0}, {"boundary": "whole"}],
)
def test_refuses_what_it_cannot_do(flags: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|at least"):
        Whitening(1, **{"taps": 4, **flags})  # type: ignore[arg-type]
