"""Every term against its formula, written down a second time in plain numpy."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from small import WINDOW, noise, small_background, small_flow

from seqflow.errors import UsageError
from seqflow.scoring.local import box_mean
from seqflow.scoring.passes import FlowPass, flow_pass
from seqflow.scoring.term import robust
from seqflow.scoring.terms import NAMES, make_terms

SMOOTHING = (1, 4, 50)


@pytest.fixture(scope="module")
def passes() -> tuple[FlowPass, FlowPass]:
    """Windows of normal noise, and others that are partly louder."""
    flow = small_flow(2)
    normal = np.stack([noise(i, WINDOW, 2) for i in range(40)])
    other = np.stack([noise(100 + i, WINDOW, 2) for i in range(6)])
    other[:3, :, 10:20] *= 4.0
    other_flow = small_background(2).flow
    found = []
    for x in (normal, other):
        windows = torch.from_numpy(x).float()
        found.append(replace(flow_pass(flow, windows), background=flow_pass(other_flow, windows).nll))
    return tuple(found)  # type: ignore[return-value]


def learned(name: str, passes: tuple[FlowPass, FlowPass]):  # noqa: ANN201
    (term,) = make_terms([name], SMOOTHING)
    normal, other = (term.extract(batch).numpy() for batch in passes)
    return term, normal, other, term.fit([normal[:10], normal[10:]])


def z_scores(features: np.ndarray, normal: np.ndarray) -> np.ndarray:
    median = np.median(normal, axis=0)
    return (features - median) / (1.4826 * np.median(np.abs(normal - median), axis=0))


def test_a_pass_shares_the_log_density_out_over_time() -> None:
    flow = small_flow(2)
    x = torch.from_numpy(np.stack([noise(i, WINDOW, 2) for i in range(5)])).float()
    batch = flow_pass(flow, x)
    expected = flow.log_prob(x).detach().double()
    torch.testing.assert_close(batch.share.sum(-1), expected, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(-batch.nll.sum(-1) * 2, expected, rtol=1e-5, atol=1e-4)
    z, log_det = flow.to_noise(x)
    torch.testing.assert_close(batch.volume.sum(-1), log_det.detach().double(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(batch.z, z.detach().double())


@pytest.mark.parametrize("value", [1e20, 3e38, np.inf, np.nan])
def test_overflow_is_as_unlikely_as_can_be_and_stays_finite(value: float) -> None:
    x = np.stack([noise(0, WINDOW, 2), noise(1, WINDOW, 2)])
    x[1, 0, 7] = value
    batch = flow_pass(small_flow(2), torch.from_numpy(x).float())
    assert batch.z.isfinite().all() and batch.share.isfinite().all() and batch.volume.isfinite().all()
    assert batch.nll[1].sum() > 1e6 * batch.nll[0].sum().abs()


def test_nll(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("nll", passes)
    expected = -passes[1].share.numpy().mean(-1) / 2
    np.testing.assert_allclose(term.measure(other, learnt), expected)
    np.testing.assert_allclose(term.steps(passes[1], learnt).numpy().mean(-1), expected)


def test_typicality_is_two_sided_and_counts_recordings_alike(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("typicality", passes)
    nll = -passes[0].share.numpy().mean(-1) / 2
    mean = (nll[:10].mean() + nll[10:].mean()) / 2
    deviation = -passes[1].share.numpy().mean(-1) / 2 - mean
    np.testing.assert_allclose(term.measure(other, learnt), deviation)
    np.testing.assert_allclose(term.finish(term.measure(other, learnt)), np.abs(deviation))


def test_energy(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("energy", passes)
    normal = passes[0].x.numpy()
    mean, variance = normal.mean((0, 2)), normal.var((0, 2))
    expected = ((passes[1].x.numpy() - mean[:, None]) ** 2 / variance[:, None]).mean((1, 2))
    np.testing.assert_allclose(term.measure(other, learnt), expected)


def test_energy_of_a_channel_that_never_moved_is_finite() -> None:
    (term,) = make_terms(["energy"], SMOOTHING)
    still = np.array([[0.0, 0.0]] * 5)
    value = term.measure(np.array([[3e38, 9e76]]), term.fit([still]))
    assert np.isfinite(value).all()


def test_band(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("band", passes)
    bands = []
    for batch in passes:
        power = (np.abs(np.fft.rfft(batch.z.numpy(), norm="ortho")) ** 2).mean(1)  # (B, 9) bins of 16 steps
        edges = [0, 1, 2, 4, 9]
        bands.append(np.log(np.stack([power[:, a:b].mean(1) for a, b in pairwise(edges)], 1)))
    np.testing.assert_allclose(other, bands[1], atol=1e-9)
    np.testing.assert_allclose(term.measure(other, learnt), np.abs(z_scores(bands[1], bands[0])).max(1))


def test_band_of_white_noise_is_level() -> None:
    (term,) = make_terms(["band"], SMOOTHING)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((400, 2, 256)))
    zero = torch.zeros(400, 256, dtype=z.dtype)
    levels = term.extract(FlowPass(z, z, zero, zero)).exp().mean(0)
    assert (levels - 1).abs().max() < 0.15


def test_latent_statistics_and_distance(passes: tuple[FlowPass, FlowPass]) -> None:
    term, normal, other, learnt = learned("latent", passes)
    z, volume = passes[1].z.numpy(), passes[1].volume.numpy()
    total = (z**2).sum((1, 2))
    columns = [
        np.log((z**2).mean((1, 2))),
        np.log(np.abs(z).max((1, 2))),
        np.log(np.abs(z).mean((1, 2))) - 0.5 * np.log((z**2).mean((1, 2))),
        *((z[..., lag:] * z[..., :-lag]).sum((1, 2)) / total for lag in (1, 2, 3, 4)),
    ]
    np.testing.assert_allclose(other[:, :7], np.stack(columns, 1), atol=1e-9)
    eighths = np.log((z**2).mean(1).reshape(6, 8, 2).mean(-1))
    channels = np.log((z**2).mean(-1))
    ends = [eighths.min(1), eighths.max(1), channels.min(1), channels.max(1), volume.mean(-1) / 2]
    np.testing.assert_allclose(other[:, -5:], np.stack(ends, 1), atol=1e-9)

    u = np.clip(z_scores(normal, normal), -4, 4)
    n, d = u.shape
    matrix = n / (n + d) * (u.T @ u) / n + d / (n + d) * np.eye(d)
    v = z_scores(other, normal)
    expected = np.sqrt(np.einsum("bi,bi->b", v, np.linalg.solve(matrix, v.T).T) / d)
    np.testing.assert_allclose(term.measure(other, learnt), expected)
    assert np.median(term.measure(normal, learnt)) == pytest.approx(1.0, abs=0.35)


def test_box_means_average_the_same_number_of_steps_everywhere() -> None:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 10)))
    found = box_mean(x, 4).numpy()
    for t in range(10):
        start = min(max(t - 2, 0), 6)
        np.testing.assert_allclose(found[:, t], x.numpy()[:, start : start + 4].mean(-1))
    np.testing.assert_allclose(box_mean(x, 99), np.repeat(x.numpy().mean(-1, keepdims=True), 10, 1))


def test_local(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("local", passes)
    tracks = []
    for batch in passes:
        energy = np.repeat(0.5 * (batch.z.numpy() ** 2).sum(1) / 2, 2, axis=-1) / 2
        raw = np.stack([energy, -batch.volume.numpy() / 2, -batch.share.numpy() / 2], 1)
        tracks.append(np.concatenate([box_mean(torch.from_numpy(raw), s).numpy() for s in SMOOTHING], 1))
    level = np.median(tracks[0].mean(-1), axis=0)
    unit = np.quantile(tracks[0].max(-1), 0.9, axis=0) - level
    standard = (tracks[1] - level[:, None]) / unit[:, None]
    np.testing.assert_allclose(term.measure(other, learnt), standard.max((1, 2)))
    by_scale = standard.reshape(6, 3, 3, WINDOW).max(2)
    # Above 1 the logarithm goes on with the same value and slope.
    steps = np.where(by_scale > 1, 1 + np.log(np.maximum(by_scale, 1)), by_scale).mean(1)
    np.testing.assert_allclose(term.steps(passes[1], learnt).numpy(), steps)
    # Windows that are loud in their middle stand out there, though the whole window is one of the scales.
    assert set(term.steps(passes[1], learnt).numpy()[:3].argmax(-1)) <= set(range(8, 22))


def test_local_ignores_tracks_that_never_move() -> None:
    (term,) = make_terms(["local"], (1,))
    features = np.concatenate([np.full((9, 3), 2.0), np.full((9, 3), 2.0 - 1e-9)], axis=-1)
    learnt = term.fit([features])
    np.testing.assert_array_equal(learnt["inverse_unit"], 0.0)
    np.testing.assert_array_equal(term.measure(features, learnt), 0.0)


def test_robust_scale_falls_back_on_the_deviation_and_then_the_floor() -> None:
    values = np.stack([np.r_[np.zeros(60), np.ones(40)], np.zeros(100), np.linspace(-1, 1, 100)], 1)
    location, scale = robust(values, 1e-3)
    np.testing.assert_allclose(location, [0.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(scale, [values[:, 0].std(), 1e-3, 1.4826 * 0.505], rtol=1e-2)


def test_ratio(passes: tuple[FlowPass, FlowPass]) -> None:
    term, _, other, learnt = learned("ratio", passes)
    scale = small_background(2).flow.bijection
    with torch.no_grad():
        z, log_det = scale(passes[1].x.float(), None)
    white = 0.5 * (z.numpy() ** 2 + np.log(2 * np.pi)).mean((1, 2)) - log_det.numpy() / (2 * WINDOW)
    expected = -passes[1].share.numpy().mean(-1) / 2 - white
    np.testing.assert_allclose(term.measure(other, learnt), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(term.steps(passes[1], learnt).numpy().mean(-1), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="needs a pass with a background"):
        term.extract(replace(passes[1], background=None))


def test_terms_by_name() -> None:
    terms = make_terms(NAMES, SMOOTHING)
    assert [term.name for term in terms] == list(NAMES)
    with pytest.raises(UsageError, match="unknown term 'entropy'; known: nll"):
        make_terms(["entropy"], SMOOTHING)


@pytest.mark.parametrize("name", NAMES)
def test_a_term_learns_what_it_says(name: str, passes: tuple[FlowPass, FlowPass]) -> None:
    term, normal, _, learnt = learned(name, passes)
    assert set(learnt) == set(term.learns)
    assert all(value.dtype == np.float64 for value in learnt.values())
    # A window's value does not depend on the windows measured with it.
    alone = np.concatenate([term.measure(normal[i : i + 1], learnt) for i in range(len(normal))])
    np.testing.assert_array_equal(alone, term.measure(normal, learnt))
