"""Recordings moved in the space of the noise: the ends stay, energies go along, temperatures are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import noise, small_flow

from seqflow.bijections import Chain, Dequantize, LevelPyramid, Standardize, Whitening
from seqflow.classes import Classes
from seqflow.distributions import Base, Laplace, Mixture, Normal, StudentT
from seqflow.errors import UsageError
from seqflow.flow import Flow
from seqflow.generation.latent import Given, morph, reconstruct, turn

STEP = 0.125


def quantised(seed: int, length: int) -> np.ndarray:
    return np.floor(noise(seed, length) / STEP) * STEP


def flow_on(base: Base) -> Flow:
    flow = Flow(Chain([Dequantize(), Standardize(1), Whitening(1, 6)]), base, 1)
    windows = np.stack([noise(100 + i, 32) for i in range(64)])
    flow.initialize(torch.from_numpy(windows).float(), {"step": torch.full((64,), STEP)})
    return flow.eval()


@pytest.mark.parametrize("base", [Normal(1), StudentT(1, 3.0), Laplace(1), Mixture(1)])
@pytest.mark.parametrize("length", [64, 33, 1])
def test_the_ends_are_the_recordings(base: Base, length: int) -> None:
    a, b = quantised(0, length), quantised(1, length + 7)
    made = morph(flow_on(base), Given(a, STEP), Given(b, STEP), 4)
    assert made.shape == (4, 1, length)
    assert np.abs(made[0] - a).max() < STEP / 2
    assert np.abs(made[-1] - b[:, :length]).max() < STEP / 2
    assert np.isfinite(made).all() and np.array_equal(made, np.round(made / STEP) * STEP)


def test_couplings_and_continuous_values_come_back_too() -> None:
    flow = small_flow(2)
    a, b = noise(0, 47, channels=2), noise(1, 47, channels=2)
    made = morph(flow, Given(a), Given(b), 2)
    assert np.allclose(made, np.stack([a, b]), atol=1e-6)
    assert np.allclose(reconstruct(flow, Given(a), 1.0), a, atol=1e-6)


def test_halfway_there_is_as_much_energy_as_at_the_ends() -> None:
    flow = flow_on(Normal(1))
    made = morph(flow, Given(noise(0, 4096)), Given(noise(1, 4096)), 3)
    z, _ = flow.in_float64().to_noise(torch.from_numpy(made), {"step": torch.zeros(3)})
    power = z.square().mean((1, 2))
    # A straight line would have half of it.
    assert 0.85 < power[1] / (power[0] * power[2]).sqrt() < 1.15
    # And neither recording is nearer to it than the other.
    first, last = (float((z[1] * z[end]).mean() / power.mean()) for end in (0, 2))
    assert first == pytest.approx(last, abs=0.1) and first == pytest.approx(2**-0.5, abs=0.1)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_a_turn_keeps_directions_and_goes_geometrically(t: float) -> None:
    a, b = torch.tensor([[3.0, 0.0]]).double(), torch.tensor([[0.0, 12.0]]).double()
    found = turn(a, b, t)
    angle = 0.5 * np.pi * t
    expected = 3.0 ** (1 - t) * 12.0**t * torch.tensor([[np.cos(angle), np.sin(angle)]])
    torch.testing.assert_close(found, expected)
    # Along the same direction there is nothing to turn; nothing is divided by zero.
    assert torch.allclose(turn(a, 4.0 * a, 0.5), 2.0 * a)
    assert torch.isfinite(turn(torch.zeros(1, 2), b.float(), 0.5)).all()


def test_a_smaller_temperature_is_nearer_to_the_mean() -> None:
    flow, x = flow_on(Normal(1)), noise(5, 512)
    levels = [reconstruct(flow, Given(x), t).std() for t in (1.0, 0.5, 0.0)]
    assert levels[1] == pytest.approx(0.5 * levels[0], rel=0.01) and levels[2] < 1e-9


def test_the_pyramid_is_told_of_the_temperature() -> None:
    flow = Flow(Chain([LevelPyramid(1, 16)]), Normal(1), 1)
    loud = torch.from_numpy(np.stack([noise(i, 256) for i in range(64)])).float()
    flow.initialize(loud * torch.exp(torch.randn(64, 1, 1, generator=torch.Generator().manual_seed(0))))
    x = noise(9, 256)
    told = reconstruct(flow.eval(), Given(x), 0.7)
    twin = flow.in_float64()
    z, _ = twin.to_noise(torch.from_numpy(x)[None])
    half = torch.full((1,), 0.7, dtype=torch.float64)
    expected = twin.from_noise(0.7 * z, {"temperature": half})[0][0].numpy()
    assert np.allclose(told, expected)
    assert not np.allclose(told, twin.from_noise(0.7 * z)[0][0].numpy(), rtol=0.05)


def test_each_end_keeps_its_condition() -> None:
    classes = Classes({"digit": ("0", "1")})
    pyramid = LevelPyramid(1, None, condition_size=2)
    assert pyramid.top_condition is not None
    with torch.no_grad():
        # What a digit does to the deviation of the level: no affine map, which halfway would not show.
        pyramid.top_condition.weight[1, 0] = 1.5
    flow = Flow(Chain([pyramid]), Normal(1), 1, classes=classes).eval()
    a, b = noise(0, 64), noise(1, 64)
    given = [Given(x, 0.0, classes.vector({"digit": d})) for x, d in ((a, "0"), (b, "1"))]
    made = morph(flow, given[0], given[1], 3)
    assert np.allclose(made[0], a, atol=1e-9) and np.allclose(made[-1], b, atol=1e-9)
    swapped = morph(flow, given[0], given[1]._replace(condition=given[0].condition), 3)
    assert not np.allclose(made[1], swapped[1], rtol=0.01)


def test_arguments_out_of_range() -> None:
    flow = flow_on(Normal(1))
    with pytest.raises(UsageError, match="at least 2"):
        morph(flow, Given(noise(0)), Given(noise(1)), 1)
    with pytest.raises(UsageError, match="sequence is"):
        morph(flow, Given(noise(0, 9, 2)), Given(noise(1)), 2)
    for temperature in (-0.1, 11.0, float("nan")):
        with pytest.raises(UsageError, match="temperature"):
            reconstruct(flow, Given(noise(0)), temperature)
