"""A model with a mixture over whole windows for its noise, behind a radial layer, through every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calls import QUICK, Seqflow

import seqflow as library
from seqflow_cli.main import run

LAYERS = "model.layers.1={kind: radial, softening: 0.3}"
WINDOW = 128


@pytest.fixture(scope="module", params=["{components: 6}", "{components: 4, freedom: 6}"])
def beats(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "beats"
    base = request.param.replace("{", "{kind: window_mixture, ")
    words = ["train", "toy/sine", "--out", folder, *QUICK, "--set", LAYERS, "--set", f"model.base={base}"]
    assert run([str(word) for word in words]) == 0
    return folder


def test_trained_scored_drawn_and_exported(
    seqflow: Seqflow, beats: Path, recordings: Path, tmp_path: Path
) -> None:
    result = seqflow("score", beats, recordings, "--json", "--out", tmp_path / "scores", "--samples")
    assert result.code == 0, result.err
    rows = result.json_lines
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert rows[2]["score"] > max(rows[0]["score"], rows[1]["score"])
    assert 0.7 < rows[2]["worst_start"] < rows[2]["worst_end"] < 1.3
    # Longer than a window, and no multiple of one.
    assert seqflow("sample", beats, "-n", 2, "--length", 300, "--out", tmp_path / "drawn").code == 0
    drawn = [np.load(path) for path in sorted((tmp_path / "drawn").glob("*.npy"))]
    assert [len(x) for x in drawn] == [300, 300] and all(np.isfinite(x).all() for x in drawn)
    assert seqflow("export", beats, "--out", tmp_path / "model.pt2").code == 0
    assert json.loads(seqflow("info", beats, "--json").out)["divisor"] == WINDOW


def test_steps_share_the_density_of_the_window(beats: Path) -> None:
    model = library.load(beats)
    x = model.sample(3, length=2 * WINDOW, seed=1)
    shares = model.flow.per_step(x)
    assert shares.shape == (3, 2 * WINDOW)
    np.testing.assert_allclose(shares.sum(-1).detach(), model.log_prob(x).detach(), rtol=1e-4)


def test_what_it_has_not_is_told(seqflow: Seqflow, beats: Path, tmp_path: Path) -> None:
    result = seqflow("sample", beats, "--truncation", 0.9, "--out", tmp_path / "drawn")
    assert result.code == 2 and "window_mixture" in result.err and len(result.err.splitlines()) == 1
