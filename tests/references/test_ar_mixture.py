"""The mixture of autoregressions is a density, and finds what changes from block to block."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from seqflow.references.ar_mixture import Mixture, _log_joint, _moments, ar_mixture
from seqflow.references.autoregression import ar_gaussian


@pytest.mark.parametrize("draw", ["norm", "laplace"])
def test_on_independent_data_it_does_not_beat_the_entropy(draw: str) -> None:
    true = getattr(stats, draw)()
    x = true.rvs(164_000, random_state=np.random.default_rng(1))
    test = x[100_000:].reshape(-1, 128)
    found = ar_mixture([x[:100_000]], test, order=4, predictors=8, gains=6, block=32, rounds=6)
    truth = -true.logpdf(test).sum(1)
    # A density can be better than the true one by chance alone: paired, four standard errors are not chance.
    better = truth - found.nats
    assert better.mean() < 4.0 * better.std() / np.sqrt(len(better))
    assert found.nats.mean() / 128 < true.entropy() + 0.1


def test_the_density_of_a_short_window_integrates_to_one() -> None:
    a = np.array([[0.9, -0.3], [-0.5, 0.2]])
    fitted = Mixture(a, np.array([0.3, 2.0]), np.log(np.array([[0.1, 0.2], [0.3, 0.4]])))
    grid = np.linspace(-10.0, 10.0, 101)
    mass = 0.0
    for first in grid:
        moments = np.stack([_moments(np.array([first, second]), 2, [2])[0] for second in grid])
        mass += np.exp(special.logsumexp(_log_joint(moments, fitted, 2.0), axis=(1, 2))).sum()
    assert mass * (grid[1] - grid[0]) ** 2 == pytest.approx(1.0, abs=1e-4)


def test_a_block_is_the_mixture_of_its_choices() -> None:
    rng = np.random.default_rng(3)
    window = rng.standard_normal(5)
    a = rng.standard_normal((2, 2)) * 0.4
    fitted = Mixture(a, np.array([0.5, 2.0]), np.log(np.array([[0.1, 0.2], [0.3, 0.4]])))
    # Two blocks, the second shorter.
    joint = _log_joint(_moments(window, 2, [3, 2]), fitted, np.array([3.0, 2.0]))
    past = np.concatenate((np.zeros(2), window))
    expected = 0.0
    for block in (range(0, 3), range(3, 5)):
        density = 0.0
        for k in range(2):
            for g in range(2):
                product = np.exp(fitted.log_weight[k, g])
                for t in block:
                    mean = a[k, 0] * past[t + 1] + a[k, 1] * past[t]
                    product *= stats.norm(mean, np.sqrt(fitted.variance[g])).pdf(window[t])
                density += product
        expected += np.log(density)
    assert special.logsumexp(joint, axis=(1, 2)).sum() == pytest.approx(expected, rel=1e-10)


def test_it_gains_where_loudness_changes() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal(40_000) * np.repeat(rng.choice([0.01, 1.0], 400), 100)
    train, test = [x[:30_000]], x[30_000:].reshape(-1, 200)
    mixture = ar_mixture(train, test, order=4, predictors=4, gains=8, block=50)
    assert mixture.nats.mean() < ar_gaussian(train, test, 4).nats.mean() - 100.0


@pytest.mark.parametrize(("stretch", "length"), [(60, 20), (300, 200), (40, 128), (1, 3), (129, 130)])
def test_data_and_windows_shorter_than_a_block(stretch: int, length: int) -> None:
    rng = np.random.default_rng(5)
    found = ar_mixture([rng.standard_normal(stretch)], rng.standard_normal((3, length)))
    assert found.nats.shape == (3,) and np.isfinite(found.nats).all()
    assert " predictors for " in found.note


def test_every_sample_of_a_window_counts() -> None:
    rng = np.random.default_rng(6)
    train, window = [rng.standard_normal(4000)], rng.standard_normal((1, 150))
    moved = window.copy()
    moved[0, -1] += 50.0
    before, after = (ar_mixture(train, x, order=2, predictors=2).nats[0] for x in (window, moved))
    assert after > before + 10.0
