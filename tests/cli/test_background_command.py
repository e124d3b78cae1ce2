"""A score beside a background model: `seqflow calibrate --background`, and the recipe's key."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from calls import QUICK, Seqflow

from seqflow.checkpoint import read_checkpoint, write_checkpoint
from seqflow.errors import CheckpointError
from seqflow.jobs.model_head import read_head
from seqflow.model import BEST, Model
from seqflow_cli.main import run


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of toy/sine that was trained on other recordings."""
    folder = tmp_path_factory.mktemp("other") / "run"
    assert run(["train", "toy/sine", "--out", str(folder), *QUICK, "--set", "data.seed=5"]) == 0
    return folder


@pytest.fixture(scope="module")
def beside(trained: Path, other: Path, recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run `trained`, calibrated beside it."""
    folder = tmp_path_factory.mktemp("beside") / "run"
    words = ["calibrate", trained, recordings / "r0.wav", recordings / "r1.wav", "--background", other]
    assert run([str(word) for word in [*words, "--out", folder]]) == 0
    return folder


def test_the_ratio_is_the_difference_of_two_likelihoods(
    seqflow: Seqflow, trained: Path, other: Path, beside: Path, recordings: Path, tmp_path: Path
) -> None:
    last = recordings / "r2.wav"
    tracks = []
    for index, folder in enumerate((beside, trained, other)):
        assert seqflow("score", folder, last, "--samples", "--out", tmp_path / str(index)).code == 0
        tracks.append(np.load(tmp_path / str(index) / "samples" / "r2.wav.npy"))
    wanted = tracks[1]["nll"] - tracks[2]["nll"]
    np.testing.assert_allclose(tracks[0]["ratio"], wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(tracks[0]["nll"], tracks[1]["nll"])
    shown = seqflow("score", beside, last, "--terms").out
    (line,) = [row for row in shown.splitlines() if " ratio " in row]
    assert line.endswith("none")


def test_the_run_keeps_its_background_model(
    seqflow: Seqflow, trained: Path, other: Path, beside: Path, recordings: Path, tmp_path: Path
) -> None:
    first = seqflow("score", beside, recordings / "r2.wav", "--json").json
    # The model file alone is enough, wherever the other run is, and so is its copy.
    shutil.copy(beside / BEST, tmp_path / "moved.safetensors")
    assert seqflow("score", tmp_path / "moved.safetensors", recordings / "r2.wav", "--json").json == first
    model = Model.load(beside)
    assert model.background is not None and model.recipe.score.terms[-1] == "ratio"
    model.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (beside / BEST).read_bytes()
    # What a batch knows before it has a flow.
    assert read_head(beside).calibration is not None
    # It stays where the run is calibrated again without naming it.
    paths = (recordings / "r0.wav", recordings / "r1.wav")
    assert seqflow("calibrate", beside, *paths, "--out", tmp_path / "anew").code == 0
    anew = Model.load(tmp_path / "anew")
    assert anew.background is not None and anew.background.digest == model.background.digest
    assert Model.load(other).as_background().digest == model.background.digest
    assert Model.load(trained).as_background().digest != model.background.digest


def test_another_background_model_is_refused(trained: Path, beside: Path, tmp_path: Path) -> None:
    tensors, meta = read_checkpoint(beside / BEST)
    other = read_checkpoint(trained / BEST)[0]
    swapped = {
        name: other[name.replace("background.", "flow.", 1)] if name.startswith("background.") else tensor
        for name, tensor in tensors.items()
    }
    write_checkpoint(tmp_path / "swapped.safetensors", swapped, meta)
    with pytest.raises(CheckpointError, match="the background model is not the one it was made with"):
        Model.load(tmp_path / "swapped.safetensors")


def test_what_cannot_be_compared_is_refused(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ("calibrate", trained, recordings / "r0.wav", "--out", tmp_path / "r")
    gone = seqflow(*words, "--background", tmp_path / "gone")
    assert gone.code == 2 and "score.background: " in gone.err and "no such file" in gone.err
    made = ["train", "toy/sine", *QUICK, "--set", "data.window=64", "--out", tmp_path / "short"]
    assert run([str(word) for word in made]) == 0
    short = seqflow(*words, "--background", tmp_path / "short")
    assert short.code == 2 and "with window 64, which cannot be compared with window" in short.err
    assert not (tmp_path / "r").exists()


def test_a_recipe_names_its_background_model(
    seqflow: Seqflow, other: Path, recordings: Path, tmp_path: Path
) -> None:
    words = ("train", "toy/sine", *QUICK, "--set", "score.terms=[nll, latent, ratio]")
    lost = seqflow(*words, "--out", tmp_path / "a")
    assert lost.code == 2 and "has ratio, which needs a background model" in lost.err
    gone = seqflow(*words, "--set", f"score.background={tmp_path / 'gone'}", "--out", tmp_path / "b")
    assert gone.code == 2 and "score.background: " in gone.err and "step 1" not in gone.err
    assert seqflow(*words, "--set", f"score.background={other}", "--out", tmp_path / "c").code == 0
    row = seqflow("score", tmp_path / "c", recordings / "r2.wav", "--json").json
    assert np.isfinite(row["term_ratio"])
