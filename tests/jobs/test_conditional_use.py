"""Models with conditions in use: what is declared reaches scores, samples and exports."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from cases import perturb
from small import noise, recording

from seqflow.build import build_flow
from seqflow.classes import Classes
from seqflow.errors import UsageError
from seqflow.jobs.batch import run_batch
from seqflow.jobs.export import TOLERANCE, export_model
from seqflow.jobs.info import describe
from seqflow.jobs.sample import write_samples
from seqflow.jobs.score import score, score_paths
from seqflow.model import Model
from seqflow.recipe import parse
from seqflow.runtime import threads
from seqflow.scoring import calibrate, read_scores

CLASSES = Classes({"digit": ("0", "7"), "speaker": ("ann", "bob", "j/d")})
RECIPE = """
name: test/conditional
data:
  kind: audio
  root: nowhere
  window: 32
  rate: 8000.0
  manifest: list.csv
  conditions:
    digit: {path: '(\\d)_[a-z]+\\.wav$'}
    speaker: {column: speaker}
model:
  condition: [digit, speaker]
  layers:
    - kind: standardize
    - kind: squeeze
    - {kind: conv_coupling, taps: 3, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3}}
    - {kind: affine_coupling, conditioner: {kind: conv, hidden: 4, layers: 1, kernel: 3}}
score: {smoothing: [1, 8], terms: [nll, typicality]}
"""


def declared(index: int) -> dict[str, str]:
    return {"digit": "07"[index % 2], "speaker": ("ann", "bob", "j/d")[index % 3]}


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    recipe = parse(RECIPE)
    flow = build_flow(recipe, 1, 8000.0, None, CLASSES)
    flow.initialize(torch.from_numpy(np.stack([0.1 * noise(1000 + i, 32) for i in range(64)])).float())
    perturb(flow, 0.1)
    held = [
        recording(0.1 * noise(i), f"c{i}", rate=8000.0, kind="audio", conditions=declared(i))
        for i in range(24)
    ]
    fitted = calibrate(flow.eval(), held, recipe.score, window=32)
    return Model(flow, recipe, fitted, rate=8000.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    for name in ("7_x.wav", "0_x.wav", "8_x.wav", "x.wav"):
        sf.write(root / name, 0.1 * noise(3)[0], 8000, subtype="FLOAT")
    return root


def test_a_score_is_that_under_what_is_declared(model: Model) -> None:
    values = 0.1 * noise(5)[0, :32]
    wav = recording(values, rate=8000.0, kind="audio")
    x = torch.from_numpy(values).float().reshape(1, 1, 32)
    seen = set()
    for condition in ({}, {"digit": "7"}, {"digit": "7", "speaker": "j/d"}):
        found = score(model, wav, condition=condition)
        assert found.nll == pytest.approx(-float(model.log_prob(x, condition=condition)) / 32, rel=1e-5)
        assert found.nll is not None
        seen.add(round(found.nll, 6))
        wav.conditions = condition
        assert score(model, wav).nll == found.nll
        wav.conditions = {}
    assert len(seen) == 3
    with pytest.raises(UsageError, match="there are 0, 7"):
        score(model, wav, condition={"digit": "8"})


def test_values_that_are_not_known_are_noted_on_the_row(model: Model, folder: Path, tmp_path: Path) -> None:
    scores = {one.name: one for one in score_paths(model, [folder], out=tmp_path)}
    assert all(one.status == "ok" and one.scored for one in scores.values())
    assert len({scores[name].nll for name in ("7_x.wav", "0_x.wav")}) == 2
    # An unknown value and none are the same to the model, and both are said.
    assert scores["8_x.wav"].nll == scores["x.wav"].nll
    speaker = "condition speaker is not declared: taken for unknown"
    assert scores["7_x.wav"].detail == speaker
    assert scores["8_x.wav"].detail.startswith("condition digit '8' is not among the training data")
    assert scores["x.wav"].detail.startswith("condition digit is not declared")
    assert [row["detail"] for row in read_scores(tmp_path / "scores.csv")] == [
        one.detail for one in scores.values()
    ]


def test_a_batch_takes_the_columns_of_its_manifest(model: Model, folder: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    root = tmp_path / "in"
    root.mkdir()
    for name in ("7_x.wav", "0_x.wav"):
        (root / name).write_bytes((folder / name).read_bytes())
    out = tmp_path / "out"

    def run(speakers: str) -> tuple[list[float], list[str], int]:
        names = ("0_x.wav", "7_x.wav")
        rows = [f"{name},{speaker}\n" for name, speaker in zip(names, speakers.split(), strict=True)]
        (root / "list.csv").write_text("path,speaker\n" + "".join(rows))
        summary = run_batch(tmp_path / "model.safetensors", root / "list.csv", out, device="cpu")
        found = read_scores(out / "scores.parquet")
        return [row["nll"] for row in found], [row["detail"] for row in found], summary.reused

    nlls, details, _ = run("ann bob")
    # Workers of a batch compute with one thread; with more, sums are taken in another order.
    with threads(1):
        alone = [
            score(model, root / name, condition={"speaker": speaker}).nll
            for name, speaker in (("0_x.wav", "ann"), ("7_x.wav", "bob"))
        ]
    assert alone == pytest.approx(nlls, rel=1e-12)
    assert details == ["", ""]
    # What changes in the manifest is scored anew, and only that.
    again, details, reused = run("ann eve")
    assert reused == 1 and again[0] == nlls[0] and again[1] != nlls[1]
    assert details == ["", "condition speaker 'eve' is not among the training data: taken for unknown"]


def test_samples_are_named_by_their_condition(model: Model, tmp_path: Path) -> None:
    made = write_samples(model, tmp_path, n=2, condition={"speaker": "j/d", "digit": "7"})
    assert [path.name for path in made.paths] == [f"sample-digit-7-speaker-j%2Fd-000{i}.wav" for i in (1, 2)]
    assert made.condition == {"digit": "7", "speaker": "j/d"}
    other = write_samples(model, tmp_path, n=1, condition={"digit": "0"})
    free = write_samples(model, tmp_path, n=1)
    assert [path.name for path in (*other.paths, *free.paths)] == [
        "sample-digit-0-0001.wav",
        "sample-0001.wav",
    ]
    contents = {path.read_bytes() for path in (made.paths[0], *other.paths, *free.paths)}
    assert len(contents) == 3
    with pytest.raises(UsageError, match="there are ann, bob, j/d"):
        write_samples(model, tmp_path / "none", n=1, condition={"speaker": "eve"})
    assert not (tmp_path / "none").exists()


def test_a_long_value_makes_no_long_name(model: Model, tmp_path: Path) -> None:
    recipe = parse(RECIPE.replace("[digit, speaker]", "[digit]"))
    long = "ü" * 300
    flow = build_flow(recipe, 1, 8000.0, None, Classes({"digit": (long, long + "x")}))
    (first, second) = (
        write_samples(
            Model(flow.eval(), recipe, rate=8000.0), tmp_path, n=1, condition={"digit": value}
        ).paths[0]
        for value in (long, long + "x")
    )
    assert first != second and len(first.name) < 200


@pytest.mark.filterwarnings("ignore:The given buffer is not writable")
def test_an_export_takes_the_condition(model: Model, tmp_path: Path) -> None:
    exported = export_model(model, tmp_path / "model.pt2")
    assert exported.difference <= TOLERANCE and exported.condition == 5
    program = torch.export.load(exported.path).module()
    x = model.sample(4, 32)
    conditions = [{}, {"digit": "7"}, {"speaker": "ann"}, {"digit": "0", "speaker": "bob"}]
    vectors = torch.stack([torch.from_numpy(CLASSES.vector(c)) for c in conditions])
    log_prob, _, _ = program(x, torch.zeros(4, dtype=torch.int64), torch.zeros(4), vectors)
    for index, condition in enumerate(conditions):
        expected = model.log_prob(x[index : index + 1], condition=condition)
        assert torch.allclose(log_prob[index], expected[0], rtol=1e-5, atol=1e-4)
    with zipfile.ZipFile(exported.path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("seqflow.json"))
        about = json.loads(archive.read(name))
    assert about["inputs"]["condition"] == ["B", 5]
    assert about["conditions"] == {"digit": ["0", "7"], "speaker": ["ann", "bob", "j/d"]}


def test_info_lists_the_values(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    assert describe(tmp_path / "model.safetensors").conditions == dict(CLASSES.values)
