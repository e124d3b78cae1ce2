"""Negative log-density minus code length: the same for a window wherever it stands, at one step for both."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import noise, small_flow

from seqflow.codec import frame_bits
from seqflow.scoring.complexity import coded
from seqflow.scoring.passes import flow_pass
from seqflow.scoring.terms import make_terms

STEP = 2.0**-15


def sound(seed: int, length: int = 512, channels: int = 1) -> np.ndarray:
    """Smooth noise on a lattice of 16 bits."""
    return np.rint(0.1 * noise(seed, length, channels) / STEP) * STEP


@pytest.mark.parametrize("channels", [1, 3])
def test_a_window_on_a_lattice_is_its_flac_frames(channels: int) -> None:
    x = sound(0, channels=channels)
    codes = np.rint(x / STEP).astype(np.int64)
    found = coded(x, STEP)
    assert found.bits == sum(frame_bits(row, 16) for row in codes) / x.size
    assert found.log_step == -15.0
    # An offset beyond 16 bits costs the first sample only.
    assert coded(x + 3.0e4 * STEP, STEP).bits == pytest.approx(found.bits, abs=0.3)


def test_the_term_is_the_difference_in_bits_at_one_step() -> None:
    (term,) = make_terms(["complexity"], (1,))
    x = np.stack([sound(i) for i in range(4)])
    batch = replace(flow_pass(small_flow(), torch.from_numpy(x).float()), step=STEP)
    nll = batch.nll.mean(-1).numpy()
    lengths = np.array([frame_bits(np.rint(one[0] / STEP).astype(np.int64), 16) / 512 for one in x])
    expected = (nll - math.log(STEP)) / math.log(2.0) - lengths
    features = term.extract(batch).numpy()
    np.testing.assert_allclose(term.measure(features, {}), expected, rtol=1e-9)
    np.testing.assert_allclose(term.steps(batch, {}).mean(-1).numpy(), expected, rtol=1e-9)
    assert term.likelihood == "none"
    for index in range(4):
        alone = replace(batch, x=batch.x[index : index + 1], share=batch.share[index : index + 1])
        np.testing.assert_array_equal(term.extract(alone).numpy()[0], features[index])


@pytest.mark.parametrize("scale", [1.0, 2.0**-20, 2.0**20])
def test_without_a_lattice_scale_has_no_say(scale: float) -> None:
    x = noise(3, 512)
    one, other = coded(x), coded(scale * x)
    assert one.bits == other.bits
    assert other.log_step == one.log_step + math.log2(scale)
    assert 2.0**15 <= np.ptp(x) / 2.0**one.log_step <= 2.0**16


def test_white_noise_costs_what_its_entropy_is() -> None:
    x = np.random.default_rng(0).standard_normal((1, 4096))
    entropy = 0.5 * math.log2(2 * math.pi * math.e)
    found = coded(x)
    assert found.bits + found.log_step == pytest.approx(entropy, abs=0.3)
    coarse = coded(np.rint(x / 0.01) * 0.01, 0.01)
    assert coarse.bits + coarse.log_step == pytest.approx(entropy, abs=0.3)


@pytest.mark.parametrize("step", [0.0, 1e-3, 1e-12, 1e-320])
@pytest.mark.parametrize(
    "row",
    [[0.0], [0.0] * 64, [1e38] * 64, [1e-45] * 9, [*[0.0] * 30, 3.4e38], [-3.4e38, 3.4e38], [1e6, 1e6 + 1]],
)
def test_any_finite_window_has_a_finite_length(row: list[float], step: float) -> None:
    assert np.isfinite(coded(np.array([row]), step)).all()


def test_simple_sounds_are_short() -> None:
    tone = np.rint(0.3 * np.sin(0.3 * np.arange(512)) / STEP)[None] * STEP
    assert coded(np.zeros((1, 512)), STEP).bits < 0.3 < coded(tone, STEP).bits < coded(sound(1), STEP).bits
