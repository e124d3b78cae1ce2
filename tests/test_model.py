"""A model is one file: saved and loaded it is the same model, or it is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import perturb

from seqflow.build import build_flow
from seqflow.checkpoint import read_checkpoint, write_checkpoint
from seqflow.data.recording import ArrayRecording
from seqflow.errors import CheckpointError, UsageError
from seqflow.model import Model
from seqflow.recipe import parse
from seqflow.scoring import calibrate

RECIPE = """
name: test/small
data: {kind: series, root: none, window: 32, channels: all}
model:
  layers:
    - {kind: dequantize}
    - {kind: standardize}
    - {kind: whitening, taps: null}
    - {kind: squeeze, factor: 4}
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, level_scales: [1]}}
  base: {kind: student_t}
score: {hop: 16, terms: [nll, local], smoothing: [1, 8]}
"""


def make_model(step: float | None = 0.25) -> Model:
    recipe = parse(RECIPE)
    flow = build_flow(recipe, 2, rate=50.0, step=step)
    torch.manual_seed(0)
    context = {"step": torch.full((20,), step or 0.0)}
    flow.initialize(torch.randn(20, 2, 32), context)
    perturb(flow, 0.05)
    info = {"steps": 3, "valid_nats": 1.5, "bits": None, "versions": {"torch": "2"}}
    return Model(flow.eval(), recipe, None, ("a", "b°"), 50.0, step, info)


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = make_model()
    x = torch.randn(3, 2, 32)
    recordings = [ArrayRecording(np.random.default_rng(i).normal(size=(2, 200)), rate=50.0) for i in range(4)]
    model.calibration = calibrate(model.flow, recordings, model.recipe.score, window=model.window)
    model.save(tmp_path / "best.safetensors")
    for place in (tmp_path, tmp_path / "best.safetensors", str(tmp_path)):
        found = Model.load(place)
        assert torch.equal(found.log_prob(x), model.log_prob(x))
        assert torch.equal(found.sample(2, 40, seed=3), model.sample(2, 40, seed=3))
        assert found.recipe == model.recipe
        assert found.info == model.info
        assert found.channel_names == model.channel_names
        assert (found.rate, found.step, found.channels, found.window) == (50.0, 0.25, 2, 32)
        assert not found.flow.training
        assert found.calibration is not None
        assert np.array_equal(found.calibration.units, model.calibration.units)
    # A second save gives the same bytes.
    found.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "best.safetensors").read_bytes()


def test_without_calibration(tmp_path: Path) -> None:
    make_model().save(tmp_path / "a.safetensors")
    assert Model.load(tmp_path / "a.safetensors").calibration is None


def test_samples_have_the_length_asked_for() -> None:
    model = make_model()
    assert model.sample(3).shape == (3, 2, 32)
    assert model.sample(1, length=7).shape == (1, 2, 7)
    assert model.sample(1, seconds=0.5).shape == (1, 2, 25)
    assert torch.equal(model.sample(2, 8, seed=1), model.sample(2, 8, seed=1))
    assert not torch.equal(model.sample(2, 8, seed=1), model.sample(2, 8, seed=2))


def test_samples_lie_on_the_lattice_of_the_data() -> None:
    steps = make_model().sample(2, 64) / 0.25
    torch.testing.assert_close(steps, steps.round())
    free = make_model(None).sample(2, 64) / 0.25
    assert not torch.allclose(free, free.round(), atol=1e-3)


def test_log_prob_takes_arrays() -> None:
    model = make_model()
    x = np.random.default_rng(0).normal(size=(2, 2, 32))
    value = model.log_prob(x)
    assert torch.equal(value, model.log_prob(torch.from_numpy(x).float()))
    assert not value.requires_grad
    expected = model.flow.log_prob(torch.from_numpy(x).float(), {"step": torch.full((2,), 0.25)})
    assert torch.equal(value, expected.detach())
    with pytest.raises(ValueError, match="expected"):
        model.log_prob(x[:, :1])


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 0},
        {"n": 1, "length": 0},
        {"n": 1, "seconds": -1.0},
        {"n": 1, "seconds": float("nan")},
        {"n": 1, "length": 3, "seconds": 1.0},
        {"n": 1, "temperature": -1.0},
        {"n": 1, "temperature": float("nan")},
    ],
)
def test_impossible_samples_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        make_model().sample(**arguments)  # type: ignore[arg-type]


def test_seconds_need_a_rate() -> None:
    with pytest.raises(UsageError, match="no rate"):
        replace(make_model(), rate=None).sample(1, seconds=1.0)


def test_a_folder_without_a_model_says_why(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no model"):
        Model.load(tmp_path)
    write_checkpoint(tmp_path / "last.safetensors", {}, {"format": "seqflow-training"})
    with pytest.raises(CheckpointError, match=r"has no best\.safetensors yet.*--resume"):
        Model.load(tmp_path)
    with pytest.raises(CheckpointError, match="the state of a training, not a model"):
        Model.load(tmp_path / "last.safetensors")
    with pytest.raises(CheckpointError, match="no such file"):
        Model.load(tmp_path / "absent.safetensors")


def test_what_does_not_fit_its_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    make_model().save(path)
    tensors, meta = read_checkpoint(path)
    mean = "flow.bijection.layers.1.mean"
    cepstrum = "flow.bijection.layers.2.cepstrum"

    def refused(match: str, tensors_: dict[str, torch.Tensor] = tensors, **changes: object) -> None:
        write_checkpoint(path, tensors_, {**meta, **changes})
        with pytest.raises(CheckpointError, match=match) as caught:
            Model.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    refused("mean is missing", {k: v for k, v in tensors.items() if k != mean})
    refused("extra is not in the model", {**tensors, "flow.extra": torch.zeros(1)})
    refused("size mismatch", {**tensors, mean: torch.zeros(3)})
    refused("size mismatch", {**tensors, cepstrum: torch.zeros(3, 32)})
    refused("of another kind", {**tensors, mean: torch.zeros(2, dtype=torch.float64)})
    refused("of another kind", {**tensors, cepstrum: torch.zeros(2)})
    refused("calibration", {**tensors, "calibration.numbers": torch.zeros(2, dtype=torch.int64)})
    refused("its recipe is of another version: colour", recipe={**meta["recipe"], "colour": "red"})
    refused("its recipe is of another version", recipe=3)
    refused("no model of this program", channels="many")
    refused("no model of this program", info=[1])
    refused("size mismatch", channels=1 << 60)
    large = copy.deepcopy(meta["recipe"])
    large["model"]["layers"][4]["conditioner"] |= {"hidden": 4096, "kernel": 511}
    refused("size mismatch", recipe=large)
    del meta["rate"]
    refused("no model of this program.*rate")


def test_an_absent_gpu_is_named(tmp_path: Path) -> None:
    make_model().save(tmp_path / "a.safetensors")
    count = torch.cuda.device_count()
    with pytest.raises(UsageError, match="GPU"):
        Model.load(tmp_path / "a.safetensors", device=f"cuda:{count}")


@pytest.mark.cuda
def test_a_gpu_gives_the_same_model(tmp_path: Path) -> None:
    model = make_model()
    model.save(tmp_path / "a.safetensors")
    x = torch.randn(3, 2, 32)
    there = Model.load(tmp_path / "a.safetensors", device="cuda")
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.log_prob(x).cpu(), model.log_prob(x), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(there.sample(2, 40).cpu(), model.sample(2, 40), rtol=1e-4, atol=1e-4)
