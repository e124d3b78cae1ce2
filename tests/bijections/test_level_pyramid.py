"""Levels of blocks: what they become, where they start, and what is drawn from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from seqflow.bijections import LevelPyramid
from seqflow.bijections.level_pyramid import halvings_of


def levels_of(x: torch.Tensor, block: int) -> torch.Tensor:
    """Log rms of whole blocks, (B, C, L)."""
    return 0.5 * x.unflatten(-1, (-1, block)).square().mean(-1).log()


def loud_and_quiet(windows: int, length: int, block: int, deviation: float = 1.0) -> torch.Tensor:
    """White noise whose level wanders from block to block as an autoregression, (B, 1, T)."""
    rng = np.random.default_rng(3)
    level = np.zeros((windows, length // block))
    level[:, 0] = rng.standard_normal(windows)
    for k in range(1, level.shape[1]):
        level[:, k] = 0.9 * level[:, k - 1] + math.sqrt(1 - 0.81) * rng.standard_normal(windows)
    noise = rng.standard_normal((windows, length))
    return torch.from_numpy(noise * np.exp(deviation * level).repeat(block, 1)).unsqueeze(1)


def test_shape_of_a_block_stays() -> None:
    x = loud_and_quiet(16, 64, 8)
    pyramid = LevelPyramid(1, 8).double()
    y = pyramid.initialize(x)
    ratio = (y / x).unflatten(-1, (-1, 8))
    assert torch.allclose(ratio, ratio[..., :1].expand_as(ratio))
    assert (ratio > 0).all()


@pytest.mark.parametrize("block", [8, 32])
def test_noise_of_one_level_comes_out(block: int) -> None:
    x = loud_and_quiet(256, 256, block)
    pyramid = LevelPyramid(1, block).double()
    y = pyramid.initialize(x)
    before, after = levels_of(x, block), levels_of(y, block)
    assert before.std() > 0.8
    # What is left are the levels of normal noise: their mean and deviation, block by block unrelated.
    assert after.mean() == pytest.approx(0.5 * (special.digamma(block / 2) - math.log(block / 2)), abs=0.01)
    wanted = 0.5 * math.sqrt(special.polygamma(1, block / 2))
    assert after.std() == pytest.approx(wanted, rel=0.1)
    centred = after - after.mean()
    assert abs(float((centred[..., 1:] * centred[..., :-1]).mean() / centred.square().mean())) < 0.1


def test_likelihood_of_a_level_known_in_closed_form() -> None:
    """One block, levels normal in the logarithm: compare with the density worked out by hand."""
    length, mu, sigma = 16, -0.7, 0.6
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((5, length))
    x = torch.from_numpy(noise).unsqueeze(1)
    pyramid = LevelPyramid(1).double()
    with torch.no_grad():
        pyramid.top[0, 0], pyramid.top[0, 1] = mu, math.log(sigma)
    y, log_det = pyramid(x)
    log_prob = torch.distributions.Normal(0.0, 1.0).log_prob(y).sum((1, 2)) + log_det
    # p(x) = p(radius of y) · |d radius(y) / d radius(x)| / area of the sphere of x's radius.
    radius = np.linalg.norm(noise, axis=1)
    mean = 0.5 * (special.digamma(length / 2) - math.log(length / 2))
    scale = 0.5 * math.sqrt(special.polygamma(1, length / 2))
    level = np.log(radius / math.sqrt(length))
    moved = mean + scale * (level - mu) / sigma
    after = math.sqrt(length) * np.exp(moved)
    log_slope = np.log(after / radius * scale / sigma)
    log_area = (
        math.log(2)
        + length / 2 * math.log(math.pi)
        - special.gammaln(length / 2)
        + (length - 1) * np.log(radius)
    )
    wanted = stats.chi(length).logpdf(after) + log_slope - log_area
    assert np.allclose(log_prob.detach().numpy(), wanted, rtol=0, atol=1e-10)


def test_drawn_levels_have_the_spread_and_the_memory_of_the_data() -> None:
    x = loud_and_quiet(512, 256, 16)
    pyramid = LevelPyramid(1, 16).double()
    pyramid.initialize(x)
    with torch.no_grad():
        drawn, _ = pyramid.inverse(torch.randn(512, 1, 256, dtype=torch.float64))
    real, made = levels_of(x, 16), levels_of(drawn, 16)
    assert made.std() == pytest.approx(real.std().item(), rel=0.15)

    def memory(levels: torch.Tensor) -> float:
        centred = levels - levels.mean()
        return float((centred[..., 1:] * centred[..., :-1]).mean() / centred.square().mean())

    assert memory(made) == pytest.approx(memory(real), abs=0.1)


def test_temperature_narrows_levels_about_their_median() -> None:
    x = loud_and_quiet(512, 64, 16)
    pyramid = LevelPyramid(1, 16).double()
    pyramid.initialize(x)
    z = torch.randn(512, 1, 64, dtype=torch.float64)
    with torch.no_grad():
        full = levels_of(pyramid.inverse(z)[0], 16)
        half = levels_of(pyramid.inverse(0.5 * z, {"temperature": torch.full((512,), 0.5)})[0], 16)
        unsaid = levels_of(pyramid.inverse(0.5 * z)[0], 16)
    assert half.std() == pytest.approx(0.5 * full.std().item(), rel=0.1)
    assert half.median() == pytest.approx(full.median().item(), abs=0.2)
    # Without being told, half the noise is taken for blocks of very low level.
    assert unsaid.median() < half.median() - 1.0


def test_a_short_last_block_and_one_step() -> None:
    pyramid = LevelPyramid(1, 8).double()
    for length in (1, 7, 9, 17):
        x = torch.randn(2, 1, length, dtype=torch.float64)
        y, log_det = pyramid(x)
        back, log_back = pyramid.inverse(y)
        assert torch.allclose(back, x)
        assert torch.allclose(log_det, -log_back)


def test_an_unknown_condition_is_zeros() -> None:
    pyramid = LevelPyramid(1, 4, condition_size=2).double()
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    x = torch.randn(3, 1, 16, dtype=torch.float64)
    told, _ = pyramid(x, {"condition": torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])})
    untold, _ = pyramid(x)
    assert torch.allclose(told[0], untold[0])
    assert not torch.allclose(told[1:], untold[1:])


def test_long_sequences_go_on_as_they_were_trained() -> None:
    """Halvings beyond those of a training window are as the coarsest of them, and stay as loud."""
    x = loud_and_quiet(512, 128, 16)
    pyramid = LevelPyramid(1, 16, halvings=halvings_of(128, 16)).double()
    pyramid.initialize(x)
    with torch.no_grad():
        # Training moves what windows reach.
        pyramid.linear[:, :, -2] += 0.2
        pyramid.top[:, 0] += 0.5
        window = levels_of(pyramid.inverse(torch.randn(512, 1, 128, dtype=torch.float64))[0], 16)
        long = levels_of(pyramid.inverse(torch.randn(64, 1, 2048, dtype=torch.float64))[0], 16)
    assert len(pyramid.linear) == 3
    assert long.median() == pytest.approx(window.median().item(), abs=0.5)
    assert 0.5 < long.std() / window.std() < 1.5


def test_halvings_of_blocks() -> None:
    assert [halvings_of(length, 4) for length in (1, 4, 5, 8, 9, 16, 17, 32, 33)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
    ]


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="positive"):
        LevelPyramid(1, 0)
    with pytest.raises(ValueError, match="takes no condition"):
        LevelPyramid(1, 4)(torch.randn(1, 1, 8), {"condition": torch.zeros(1, 2)})
