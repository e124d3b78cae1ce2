"""Exported programs say what the model says."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from toys import toy_model

from seqflow.errors import UsageError
from seqflow.jobs import export
from seqflow.jobs.export import TOLERANCE, Export, export_model
from seqflow.model import Model


@pytest.fixture(scope="module")
def model() -> Model:
    return toy_model("toy/sine", "data.step=0.001")


@pytest.fixture(scope="module")
def exported(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Export:
    return export_model(model, tmp_path_factory.mktemp("export") / "model.pt2", length=640)


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")
def test_the_file_gives_what_the_model_gives(model: Model, exported: Export) -> None:
    assert (exported.length, exported.channels) == (640, 1)
    assert exported.difference <= TOLERANCE and exported.size == exported.path.stat().st_size
    program = torch.export.load(exported.path).module()
    for batch in (1, 5):
        x = model.sample(batch, 640, seed=1)
        position, step = torch.arange(batch) * 1000, torch.full((batch,), 0.001)
        log_prob, noise, log_det = program(x, position, step)
        context = {"position": position, "step": step}
        with torch.no_grad():
            expected = model.flow.log_prob(x, context)
            expected_noise, expected_log_det = model.flow.to_noise(x, context)
        assert torch.allclose(log_prob, expected, rtol=1e-6)
        assert torch.allclose(noise, expected_noise, atol=1e-6)
        assert torch.allclose(log_det, expected_log_det, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")
def test_gradients_go_through_the_program(model: Model, exported: Export) -> None:
    x = model.sample(2, 640, seed=1).requires_grad_()
    context = {"position": torch.zeros(2, dtype=torch.int64), "step": torch.full((2,), 0.001)}
    program = torch.export.load(exported.path).module()
    (found,) = torch.autograd.grad(program(x, *context.values())[0].sum(), x)
    (expected,) = torch.autograd.grad(model.flow.log_prob(x, context).sum(), x)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_layers_of_a_real_recipe(tmp_path: Path) -> None:
    written = export_model(toy_model("toy/machine"), tmp_path / "model.pt2")
    assert written.difference <= TOLERANCE


def test_the_file_holds_no_paths_no_pickle_and_is_the_same_again(
    model: Model, exported: Export, tmp_path: Path
) -> None:
    again = export_model(model, tmp_path / "again.pt2", length=640)
    assert again.path.read_bytes() == exported.path.read_bytes()
    root = str(Path(export.__file__).parents[2])
    with zipfile.ZipFile(exported.path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert root.encode() not in content and b"site-packages" not in content
            assert not content.startswith((b"PK", b"\x80"))
        about = json.loads(archive.read(_entry(archive)))
    assert about["recipe"] == "toy/sine" and about["inputs"]["x"] == ["B", 1, 640]


def _entry(archive: zipfile.ZipFile) -> str:
    return next(name for name in archive.namelist() if name.endswith("seqflow.json"))


def test_a_program_that_differs_is_refused(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(UsageError, match="not written: the exported program differs from the model by"):
        export_model(model, tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "length", "what"), [("model.pt", None, r"\.pt2"), ("model.pt2", 127, "multiple of 2")]
)
def test_what_cannot_be(model: Model, tmp_path: Path, name: str, length: int | None, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        export_model(model, tmp_path / name, length=length)
