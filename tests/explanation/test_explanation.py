"""What explanations say of generated recordings, where it is known what was done to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import coupling, perturb
from small import TERMS, WINDOW, Array, noise, recording, small_flow

from seqflow.bijections import ActNorm, Chain, ConvCoupling, Squeeze, Standardize, Whitening
from seqflow.data.recording import ArrayRecording
from seqflow.distributions import Normal
from seqflow.errors import InputError, UsageError
from seqflow.explanation import Material, channel_shares, material, nearest_normal, surprise_map
from seqflow.explanation.heights import heights, measure
from seqflow.explanation.nearest import unusual
from seqflow.flow import Flow
from seqflow.recipe import ScoreConfig
from seqflow.scoring import Calibration, calibrate
from seqflow.scoring.calibration import finished, measures
from seqflow.scoring.passes import flow_pass
from seqflow.scoring.terms import make_terms

CONFIG = ScoreConfig(smoothing=(1, 8), terms=TERMS)


@pytest.fixture(scope="module")
def normal() -> tuple[Flow, Calibration]:
    flow = small_flow()
    return flow, calibrate(flow, [recording(noise(i)) for i in range(40)], CONFIG, window=WINDOW)


def given(normal: tuple[Flow, Calibration], values: Array, **keys: object) -> Material:
    return material(normal[0], recording(values, **keys), CONFIG, normal[1])


def test_heights_with_gradients_are_those_of_the_terms(normal: tuple[Flow, Calibration]) -> None:
    flow, calibration = normal
    x = torch.from_numpy(np.stack([noise(i, WINDOW) * (1.0 + i % 3) for i in range(12)])).float()
    batch = flow_pass(flow, x)
    terms = make_terms(TERMS, (1, 8))
    found = {term.name: term.extract(batch) for term in terms}
    plain = {name: features.numpy() for name, features in found.items()}
    values = finished(terms, measures(terms, plain, calibration.statistics))
    sloped = [k for k, name in enumerate(TERMS) if name != "complexity"]
    for k in sloped:
        term = terms[k]
        own = measure(term.name, found[term.name], calibration.statistics[term.name])
        np.testing.assert_allclose(own.numpy(), values[:, k], rtol=1e-9)
    kept = [k for k in sloped if TERMS[k] != "nll"]
    expected = ((values - calibration.heights[0]) * calibration.heights[1])[:, kept]
    np.testing.assert_allclose(heights(given(normal, noise(0)), batch).numpy(), expected, rtol=1e-9)


def test_the_map_is_level_on_normal_recordings(normal: tuple[Flow, Calibration]) -> None:
    values = np.concatenate([surprise_map(given(normal, noise(500 + i))).values for i in range(8)], axis=1)
    assert (np.abs(np.median(values, axis=1)) < 0.6).all()
    assert (values.std(axis=1) < 2.0).all()


def test_a_tone_lights_up_its_octave_at_its_time(normal: tuple[Flow, Calibration]) -> None:
    values = noise(600)
    values[:, 300:380] += 1.5 * np.sin(2.0 * np.pi * 0.185 * np.arange(80))
    found = surprise_map(given(normal, values))
    assert found.edges.tolist() == [0.0, 1 / 16, 2 / 16, 4 / 16, 0.5]
    moments = np.arange(found.values.shape[1]) * found.hop
    during = (moments > 308) & (moments < 372)
    level = np.median(found.values[:, during], axis=1)
    assert level.argmax() == 2 and level[2] > 5.0 and (np.delete(level, 2) < 0.3 * level[2]).all()
    assert np.median(found.values[2, (moments < 280) | (moments > 400)]) < 1.0


def test_a_click_lights_up_all_octaves_at_its_time(normal: tuple[Flow, Calibration]) -> None:
    values = noise(601)
    values[:, 320] += 20.0
    found = surprise_map(given(normal, values))
    at = 320 // found.hop
    assert (found.values[:, at] > 5.0).all()
    assert (np.abs(found.values.argmax(axis=1) - at) <= 1).all()


def mixed(seed: int) -> Array:
    """Three channels with correlations of about 0.8."""
    made = noise(seed, 640, 4)
    return np.stack([made[0] + 0.5 * own for own in made[1:]])


@pytest.fixture(scope="module")
def three() -> tuple[Flow, Calibration]:
    torch.manual_seed(0)
    mixing = coupling(ConvCoupling, 6, taps=3)
    perturb(mixing, 0.05)
    layers = [Standardize(3), Whitening(3, 8), Squeeze(2), mixing, ActNorm(6)]
    flow = Flow(Chain(layers), Normal(6), 3)
    flow.initialize(torch.from_numpy(np.stack([mixed(1000 + i)[:, :WINDOW] for i in range(64)])).float())
    return flow.eval(), calibrate(flow, [recording(mixed(i)) for i in range(30)], CONFIG, window=WINDOW)


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("fault", ["offset", "noise", "click", "frozen", "silent"])
def test_the_channel_with_the_fault_comes_first(
    three: tuple[Flow, Calibration], channel: int, fault: str
) -> None:
    values = mixed(700 + channel)
    begin, end = (326, 336) if fault == "click" else (300, 360)
    match fault:
        case "offset":
            values[channel, begin:end] += 3.0
        case "noise":
            values[channel, begin:end] += 1.5 * np.random.default_rng(channel).standard_normal(end - begin)
        case "click":
            values[channel, 330] += 6.0
        case "frozen":
            values[channel, begin:end] = values[channel, begin - 1]
        case "silent":
            values[channel, begin:end] = 0.0
    shares = channel_shares(given(three, values), begin, end, 330)
    assert shares.sum() == pytest.approx(1.0) and (shares >= 0.0).all()
    assert shares.argmax() == channel and shares[channel] > 0.6


def test_a_single_channel_has_it_all(normal: tuple[Flow, Calibration]) -> None:
    assert channel_shares(given(normal, noise(1)), 10, 50, 20).tolist() == [1.0]


@pytest.mark.parametrize("blank", [False, True])
def test_what_an_interval_should_have_looked_like(normal: tuple[Flow, Calibration], blank: bool) -> None:
    values = noise(800)
    values[:, 300:340] += 6.0 * np.random.default_rng(1).standard_normal(40)
    one = given(normal, values)
    found = nearest_normal(one, 298, 342, blank=blank, steps=30)
    outside = np.r_[0 : found.begin, found.end : 640]
    assert (found.begin, found.end) == (294, 346)
    np.testing.assert_array_equal(found.values[:, outside], values[:, outside])
    inside = found.values[:, 298:342]
    assert 0.4 < inside.std() < 1.6 and np.abs(inside).max() < 4.0
    # No more unusual than a normal recording is there.
    usual = [unusual(given(normal, noise(i)), noise(i), 298, 342) for i in range(900, 910)]
    assert unusual(one, values, 298, 342) > 3.0 * max(usual)
    assert unusual(one, found.values, 298, 342) < (max(usual) if blank else np.median(usual))


def test_what_is_usual_hardly_moves(normal: tuple[Flow, Calibration]) -> None:
    values = noise(801)
    found = nearest_normal(given(normal, values), 200, 400, steps=10)
    change = (found.values - values)[:, 200:400].std()
    assert change < 0.4 * values.std()


def test_blank_takes_nothing_from_the_interval(normal: tuple[Flow, Calibration]) -> None:
    values = noise(802)
    other = values.copy()
    other[:, 300:330] = 100.0
    made = [nearest_normal(given(normal, x), 300, 330, blank=True).values for x in (values, other)]
    np.testing.assert_array_equal(made[0][:, 300:330], made[1][:, 300:330])


def test_values_in_steps_are_scored_as_they_are_written(normal: tuple[Flow, Calibration]) -> None:
    step = 0.25
    values = np.floor(noise(804) / step) * step
    one = given(normal, values, step=step)
    np.testing.assert_allclose(one.values - step * one.dither, values, atol=1e-12)
    x = one.tensor(one.values[:, 100:200]).requires_grad_(True)
    made = one.quantised(x, 100)
    np.testing.assert_allclose(made.detach().numpy(), one.values[:, 100:200], atol=1e-12)
    other = one.quantised(x + 0.1, 100).detach().numpy() - step * one.dither[:, 100:200]
    np.testing.assert_allclose(other / step, np.round(other / step), atol=1e-9)
    (slope,) = torch.autograd.grad(made.sum(), x)
    assert (slope == 1.0).all()


def test_windows_with_missing_samples_are_left_out(normal: tuple[Flow, Calibration]) -> None:
    values = noise(803)
    values[:, 300] = np.nan
    one = given(normal, values)
    assert np.isfinite(one.values).all() and not one.valid[300]
    assert all(start > 300 or start + WINDOW <= 300 for start in one.starts(0, 640, 4))
    with pytest.raises(UsageError, match="misses a sample"):
        one.starts(300, 301, 1)


def test_what_cannot_be_explained(normal: tuple[Flow, Calibration]) -> None:
    flow, calibration = normal
    with pytest.raises(UsageError, match="no calibration"):
        material(flow, recording(noise(0)), CONFIG, None)
    with pytest.raises(InputError, match="fewer than a window"):
        material(flow, ArrayRecording(noise(0)[:, :20]), CONFIG, calibration)
    with pytest.raises(UsageError, match="no stretch"):
        nearest_normal(given(normal, noise(0)), 10, 10)
    with pytest.raises(UsageError, match="too little"):
        nearest_normal(given(normal, noise(0)), 0, 600, blank=True)
