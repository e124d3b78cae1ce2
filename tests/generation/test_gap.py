"""Gaps are filled by draws of the conditional density: closed forms, seeds, steps, and windows."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import noise, small_flow

from seqflow.bijections import Chain, Standardize, Whitening
from seqflow.distributions import Normal
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.generation import context_window, inpaint

LENGTH = 64
MEAN, SCALE = 0.5, 2.0


def whitening_only(boundary: str) -> tuple[Flow, np.ndarray]:
    """A flow that is a Gaussian, and its covariance by scipy."""
    whitening = Whitening(1, 6, boundary=boundary)
    cepstrum = np.array([0.1, -0.5, 0.15, 0.1, -0.05, 0.02])
    whitening.cepstrum.data = torch.tensor(cepstrum, dtype=torch.float32)[None]
    standardize = Standardize(1)
    standardize.mean.fill_(MEAN)
    standardize.scale.fill_(SCALE)
    period = 2 * LENGTH if boundary == "symmetric" else LENGTH
    angle = 2.0 * np.pi * np.arange(LENGTH) / period
    power = np.exp(-2.0 * (cepstrum[0] + 2.0 * np.cos(np.outer(angle, np.arange(1, 6))) @ cepstrum[1:]))
    if boundary == "symmetric":
        basis = scipy.fft.dct(np.eye(LENGTH), axis=0, norm="ortho")
        covariance = basis.T @ np.diag(power) @ basis
    else:
        covariance = scipy.linalg.circulant(scipy.fft.ifft(power).real)
    return Flow(Chain([standardize, whitening]), Normal(1), 1).eval(), SCALE**2 * covariance


@pytest.mark.parametrize(("boundary", "start", "stop"), [("symmetric", 58, 64), ("circular", 40, 46)])
def test_a_gaussian_flow_gives_the_conditional_gaussian(boundary: str, start: int, stop: int) -> None:
    flow, covariance = whitening_only(boundary)
    x = MEAN + np.linalg.cholesky(covariance) @ np.random.default_rng(1).standard_normal(LENGTH)
    gap, rest = np.arange(start, stop), np.r_[0:start, stop:LENGTH]
    gain = covariance[np.ix_(gap, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
    mean = MEAN + gain @ (x[rest] - MEAN)
    spread = covariance[np.ix_(gap, gap)] - gain @ covariance[np.ix_(rest, gap)]
    n = 300
    found = inpaint(flow, x[None], start, stop, n=n, steps=50)
    white = np.linalg.solve(np.linalg.cholesky(spread), (found.draws[:, 0] - mean).T)
    # Mean, variances and correlations of the draws, by tests that each fail once in a thousand runs.
    assert scipy.stats.chi2.sf(n * np.sum(white.mean(axis=1) ** 2), len(gap)) > 1e-3
    assert np.abs(np.cov(white) - np.eye(len(gap))).max() < 4.5 * np.sqrt(2.0 / n)
    assert scipy.stats.kstest(np.sum(white**2, axis=0), "chi2", args=(len(gap),)).pvalue > 1e-3
    assert 0.6 < np.mean(found.acceptance) <= 1.0


def test_draws_have_seeds_of_their_own() -> None:
    flow, x = small_flow(), noise(3, 32)
    few, many = (inpaint(flow, x, 10, 20, n=n, steps=6, seed=1).draws for n in (2, 3))
    assert np.allclose(few, many[:2], rtol=0.0, atol=1e-4)
    assert np.abs(many[0] - many[2]).max() > 0.01
    assert np.array_equal(few, inpaint(flow, x, 10, 20, n=2, steps=6, seed=1).draws)
    assert not np.allclose(few, inpaint(flow, x, 10, 20, n=2, steps=6, seed=2).draws, atol=0.01)


def test_what_stands_in_the_gap_has_no_influence() -> None:
    flow, x = small_flow(2), noise(3, 32, channels=2)
    other = x.copy()
    other[:, 10:20] = np.nan
    first, second = (inpaint(flow, values, 10, 20, n=1, steps=4) for values in (x, other))
    assert np.array_equal(first.draws, second.draws) and first.draws.shape == (1, 2, 10)
    assert np.array_equal(first.interpolation, second.interpolation)


def test_draws_lie_on_the_lattice_of_the_recording() -> None:
    x = np.floor(noise(3, 32) * 8.0).astype(np.float32) / 8.0
    found = inpaint(small_flow(), x, 4, 9, n=2, steps=4, step=0.125)
    assert found.draws.dtype == np.float32
    assert np.array_equal(found.draws, np.round(found.draws * 8.0) / 8.0)


def test_a_flow_is_left_as_it_is() -> None:
    flow = small_flow()
    before = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
    flags = [parameter.requires_grad for parameter in flow.parameters()]
    assert any(flags)
    inpaint(flow, noise(0, 32), 3, 9, n=1, steps=3)
    assert [parameter.requires_grad for parameter in flow.parameters()] == flags
    assert all(torch.equal(before[name], tensor) for name, tensor in flow.state_dict().items())


@given(
    length=st.integers(8, 3000),
    window=st.integers(1, 16).map(lambda k: 64 * k),
    divisor=st.sampled_from([1, 2, 8]),
    data=st.data(),
)
def test_the_window_around_a_gap(length: int, window: int, divisor: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    try:
        begin, end = context_window(length, start, stop, window=window, divisor=divisor)
    except UsageError as error:
        assert "too little" in str(error)
        assert stop - start > length - 2 * divisor
        return
    assert 0 <= begin <= end <= length and (end - begin) % divisor == 0
    assert end - begin - (stop - start) >= min(divisor, length)
    # The gap lies inside but for what the divisor cuts off at an end of a short recording.
    assert begin <= start and stop <= end


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"start": 5, "stop": 5}, "no part"),
        ({"start": -1}, "no part"),
        ({"stop": 33}, "no part"),
        ({"start": 0, "stop": 32}, "no part"),
        ({"n": 0}, "at least 1"),
        ({"steps": 0}, "at least 1"),
        ({"seed": -1}, "seed"),
        ({"x": np.zeros((2, 32))}, "window"),
        ({"x": np.zeros((1, 33))}, "multiple"),
        ({"x": np.full((1, 32), np.nan)}, "missing"),
        ({"condition": {"digit": "7"}}, "digit"),
    ],
)
def test_arguments_out_of_range(changes: dict, what: str) -> None:
    arguments = {"x": noise(0, 32), "start": 5, "stop": 9, "n": 1, "steps": 1, **changes}
    with pytest.raises(UsageError, match=what):
        inpaint(small_flow(), **arguments)


def test_a_gap_of_too_many_samples_is_refused() -> None:
    with pytest.raises(UsageError, match="4096"):
        inpaint(small_flow(), np.zeros((1, 8192)), 100, 5000)
