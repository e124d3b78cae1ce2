"""Windows drawn while training: their distance from the data falls, and all else stays a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from runs import assert_same_run, make_material, make_recipe, read_log, stop_at, train_small
from scipy.spatial.distance import cdist

from seqflow.bijections import ActNorm
from seqflow.build import build_flow
from seqflow.checkpoint import read_checkpoint
from seqflow.data.batch import Batch
from seqflow.errors import Interrupted, UsageError
from seqflow.quality.octaves import band_levels, octave_bands
from seqflow.recipe import DrawsConfig
from seqflow.training.draws import Levels, energy_distance, gradients_of_draws, look_at

KEYS = ("train.draws.share=0.5", "train.draws.every=2", "train.draws.windows=6")


def test_levels_are_those_that_samples_are_judged_by() -> None:
    x = np.random.default_rng(0).standard_normal((5, 2, 100)) * np.array(
        [[[1.0]], [[3.0]], [[0.01]], [[8.0]], [[0.0]]]
    )
    noise = np.array([1e-4, 2e-4])
    levels, loudness = Levels(100, torch.from_numpy(noise))(torch.from_numpy(x))
    levels = levels.unflatten(1, (2, -1))
    bands = octave_bands(100)
    for channel in range(2):
        decibels = band_levels(x[:, [channel]], bands, noise[[channel]])
        assert np.abs(levels[:, channel].numpy() * 20.0 / np.log(10.0) - decibels).max() < 1e-9
    assert np.abs(loudness.numpy() - 0.5 * np.log(np.square(x).mean(-1) + noise)).max() < 1e-12


def test_the_distance_is_that_between_distributions() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((40, 3)), rng.standard_normal((70, 3)) + 0.5
    own = [cdist(one, one).sum() / (len(one) * (len(one) - 1)) for one in (a, b)]
    expected = 2.0 * cdist(a, b).mean() - sum(own)
    found = energy_distance(torch.from_numpy(a), torch.from_numpy(b), float(own[1]))
    assert float(found) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("limit", [None, 2.5])
def test_gradients_in_parts_are_those_of_all_at_once(limit: float | None) -> None:
    recipe = make_recipe(*KEYS)
    config = recipe.train.draws
    assert config is not None
    material = make_material(recipe)
    flow = build_flow(recipe, 1)
    # A limit that some of the draws leave.
    known = look_at(material.train, config, torch.device("cpu"), limit)
    results = [gradients_of_draws(flow, known, config, 3, 0, size) for size in (6, 4, 1)]
    for distance, gradients in results[1:]:
        assert distance == pytest.approx(results[0][0], rel=1e-4)
        for one, other in zip(gradients, results[0][1], strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert torch.allclose(one, other, rtol=1e-3, atol=1e-7)
    assert any(one is not None and bool(one.abs().max() > 0) for one in results[0][1])
    # Another step draws others.
    assert gradients_of_draws(flow, known, config, 5, 0, 6)[0] != results[0][0]


@pytest.mark.parametrize("limit", [None, 4.0])
def test_windows_come_to_be_as_loud_as_the_data(limit: float | None) -> None:
    """A flow of one scale, which starts too loud, and a likelihood that counts for nothing beside draws."""
    recipe = make_recipe("train.draws.windows=64", "train.draws.weight=1.0")
    config = recipe.train.draws
    assert config is not None
    material = make_material(recipe)
    flow = build_flow(recipe, 1)
    x = next(material.train.in_order(256)).x
    flow.initialize(x)
    # The data stay within 4; draws that do not are pulled in until they count.
    known = look_at(material.train, config, torch.device("cpu"), limit)
    with torch.no_grad():
        (norm,) = (layer for layer in flow.bijection if isinstance(layer, ActNorm))
        norm.log_scale.sub_(1.0)
    optimizer = torch.optim.Adam(flow.parameters(), lr=2e-2)
    found = []
    for step in range(60):
        distance, gradients = gradients_of_draws(flow, known, config, step, 0, 64)
        for parameter, gradient in zip(flow.parameters(), gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
        found.append(distance)
    assert np.mean(found[-10:]) < 0.3 * np.mean(found[:3])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    train_small(out, *KEYS)
    return out


def test_the_last_part_draws_and_the_first_is_the_training_without(tmp_path: Path, whole: Path) -> None:
    train_small(tmp_path / "without")
    steps = [line for line in read_log(whole) if line["event"] == "step"]
    plain = [line for line in read_log(tmp_path / "without") if line["event"] == "step"]
    assert [line["step"] for line in steps if "draws" in line] == [8, 10, 12]
    nats, before = ([line["nats"] for line in lines] for lines in (steps, plain))
    first = next(index for index, line in enumerate(steps) if "draws" in line)
    assert nats[: first + 1] == before[: first + 1] and nats[first + 1 :] != before[first + 1 :]


def test_a_stopped_training_goes_on_to_the_bit(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(Interrupted):
        train_small(out, *KEYS, on_event=stop_at(9))
    with pytest.raises(UsageError, match=r"train\.draws"):
        train_small(out, resume=True)
    train_small(out, *KEYS, resume=True)
    assert_same_run(out, whole)
    assert read_checkpoint(out / "best.safetensors")[0].keys()


def test_windows_with_gaps_are_not_drawn_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = make_recipe(*KEYS)
    material = make_material(recipe)
    (batch,) = material.train.in_order(8, 8)
    masked = Batch(**{**batch.tensors(), "mask": batch.mask & (torch.arange(8)[:, None] < 5)})
    monkeypatch.setattr(type(material.train), "in_order", lambda self, size, limit: iter([masked]))
    with pytest.raises(UsageError, match=r"train\.draws\.windows: 5 windows .* fewer than the 6"):
        look_at(material.train, DrawsConfig(windows=6), torch.device("cpu"))
    assert len(look_at(material.train, DrawsConfig(windows=5), torch.device("cpu")).points.loudness) == 5


def test_windows_without_a_spectrum_are_refused() -> None:
    recipe = make_recipe("data.window=8", "score.hop=8", "data.augment.shift=0", *KEYS)
    with pytest.raises(UsageError, match=r"train\.draws: windows of 8 samples have no spectrum"):
        look_at(make_material(recipe).train, DrawsConfig(windows=2), torch.device("cpu"))
