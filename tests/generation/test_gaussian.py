"""Interpolation by linear prediction, beside what is known of processes that it is exact for."""

from __future__ import annotations

import numpy as np
import torch
from small import noise

from seqflow.generation.gaussian import Gaussian, interpolate, prediction_errors, refine


def test_first_order_noise_is_interpolated_as_its_conditional_says() -> None:
    x = noise(0, 4000)
    unknown = torch.zeros(1, 4000, dtype=torch.bool)
    unknown[:, 2000:2003] = True
    found = interpolate(torch.from_numpy(x)[None], unknown, 1)
    lag = np.abs(np.arange(5)[:, None] - np.arange(5)[None])
    covariance = 0.8**lag
    ends, middle = [0, 4], [1, 2, 3]
    gain = covariance[np.ix_(middle, ends)] @ np.linalg.inv(covariance[np.ix_(ends, ends)])
    expected = gain @ x[0, [1999, 2003]]
    spread = covariance[np.ix_(middle, middle)] - gain @ covariance[np.ix_(ends, middle)]
    assert np.allclose(found.mean[0], expected, atol=0.1)
    factor = found.factor[0].numpy()
    assert np.allclose(factor @ factor.T, spread, atol=0.05)


def test_what_stands_in_the_gap_has_no_influence() -> None:
    x = torch.from_numpy(noise(1, 300, channels=2))[None]
    unknown = torch.zeros(2, 300, dtype=torch.bool)
    unknown[0, 100:120] = unknown[1, 290:] = True
    other = torch.where(unknown, torch.full_like(x, 1e3), x)
    first, second = interpolate(x, unknown, 16), interpolate(other, unknown, 16)
    assert torch.equal(first.mean, second.mean) and torch.equal(first.factor, second.factor)
    # Channels are independent.
    assert not first.factor[0, :20, 20:].any() and not first.factor[0, 20:, :20].any()


def test_silence_and_too_little_to_go_by_are_no_trouble() -> None:
    for x in (torch.zeros(1, 1, 16), torch.ones(1, 1, 16), torch.randn(1, 1, 16)):
        unknown = torch.zeros(1, 16, dtype=torch.bool)
        unknown[:, 1:15] = True
        found = interpolate(x, unknown, 32)
        assert bool(torch.isfinite(found.mean).all()) and bool(torch.isfinite(found.factor).all())


def test_places_and_coordinates_undo_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    gaussian = Gaussian(torch.ones(2, 5, dtype=torch.float64), factor)
    u = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(gaussian.find(gaussian.place(u)), u)
    # pull is the adjoint of place.
    grad = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    step = (gaussian.place(u) - gaussian.mean) * grad
    torch.testing.assert_close(step.sum(1), (gaussian.pull(grad) * u).sum(1))


def test_refined_coordinates_make_the_curvature_even() -> None:
    generator = torch.Generator().manual_seed(0)
    scales = torch.tensor([0.1, 1.0, 10.0, 3.0], dtype=torch.float64)
    states = torch.randn(4000, 1, 4, generator=generator, dtype=torch.float64) * scales
    start = Gaussian(torch.zeros(1, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)[None])
    refined = refine(start, states / scales**2)
    covariance = refined.factor[0] @ refined.factor[0].T
    even = covariance / scales / scales[:, None]
    torch.testing.assert_close(even, torch.eye(4, dtype=torch.float64), rtol=0.0, atol=0.1)
    # Trajectories that ran away do not rule.
    gradients = states / scales**2
    gradients[:20] *= 1e9
    gradients[20:40] = float("nan")
    wild = refine(start, gradients).factor[0]
    even = (wild @ wild.T) / scales / scales[:, None]
    assert bool((torch.diagonal(even) > 0.2).all()) and bool((torch.diagonal(even) < 1.2).all())
    flat = refine(start, torch.zeros(5, 1, 4, dtype=torch.float64))
    assert torch.equal(flat.factor, start.factor)


def test_prediction_errors_are_white_for_what_can_be_predicted() -> None:
    x = noise(3, 5000)
    errors = prediction_errors(x, 4)[0, 8:]
    # The innovation of `noise` has deviation 0.6.
    assert abs(errors.std() - 0.6) < 0.03
    assert abs(np.corrcoef(errors[1:], errors[:-1])[0, 1]) < 0.05
