"""Recordings that a run was made from are known again, also where its files were packed into shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from seqflow.data.open import open_recordings
from seqflow.data.packed import PackedFolder
from seqflow.data.split import split_recordings
from seqflow.jobs.pack import pack
from seqflow.jobs.run_data import new_to
from seqflow.recipe import Recipe


@pytest.mark.parametrize("sharded", [False, True])
def test_what_a_run_was_made_from_is_not_new_to_it(tmp_path: Path, sharded: bool) -> None:
    root = tmp_path / "loose"
    root.mkdir()
    for i in range(8):
        sf.write(root / f"{i}.wav", 0.1 * np.random.default_rng(i).standard_normal(100), 8000)
    data = {"kind": "audio", "root": str(root), "window": 50, "split": {"test": ["1*", "5*"]}}
    recipe = Recipe.model_validate(
        {"name": "x", "data": data, "model": {"layers": [{"kind": "standardize"}]}}
    )
    found = [one for path in sorted(root.iterdir()) for one in open_recordings(path, recipe.data)]
    if sharded:
        pack(recipe, tmp_path / "shards")
        packed = recipe.data.model_copy(update={"root": str(tmp_path / "shards")})
        recipe = recipe.model_copy(update={"data": packed})
    parts = split_recordings(recipe)
    made = [parts.train, parts.valid, parts.calibration]
    assert [one.name for one in new_to(made, found)] == ["1.wav", "5.wav"]
    if not sharded:
        pack(recipe, tmp_path / "shards")
    folder = PackedFolder(tmp_path / "shards")
    packed_ones = [one for file in folder.files() for one in open_recordings(file, recipe.data)]
    assert [one.name for one in new_to(made, packed_ones)] == ["1.wav", "5.wav"]
    # Recordings of the same shards are told from each other.
    assert [one.name for one in new_to(made, parts.test)] == ["1.wav", "5.wav"]
