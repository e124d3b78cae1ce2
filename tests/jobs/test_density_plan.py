"""Which models are measured on which data."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import toy_model

from seqflow.errors import RecipeError, UsageError
from seqflow.jobs.density_plan import plan
from seqflow.recipe import load


def test_the_model_alone_is_lent_to_other_data() -> None:
    settings = ["data.rate=250", "train.steps=77", "model.layers.0.seed=3"]
    found = plan(["baseline/glow", "baseline/spline"], [], "sensor/ecg", settings)
    ecg = load("sensor/ecg", settings[:2])
    assert [one.name for one in found.recipes] == ["baseline/glow", "baseline/spline"]
    for one, name in zip(found.recipes, ("baseline/glow", "baseline/spline"), strict=True):
        assert one.model == load(name, settings[2:]).model
        for part in ("data", "train", "score", "sample", "seed"):
            assert getattr(one, part) == getattr(ecg, part)
    assert found.data == ecg


def test_a_model_that_does_not_fit_the_other_data() -> None:
    with pytest.raises(RecipeError, match=r"baseline/glow on the data of toy/sine: .*multiple of 8"):
        plan(["baseline/glow"], [], "toy/sine", ["data.window=100"])


def test_without_other_data_all_must_have_the_same() -> None:
    found = plan(["audio/fsdd", "baseline/glow"], [], None, ["data.root=x", "data.split.valid=0.2"])
    assert {one.data.split.valid for one in found.recipes} == {0.2}
    assert found.data == found.recipes[0]
    with pytest.raises(
        UsageError, match=r"data\.kind: sensor/ecg has other data than audio/fsdd; give --data"
    ):
        plan(["audio/fsdd", "sensor/ecg"], [])


@pytest.mark.parametrize("recipes", [[], ["toy/sine", "toy/sine"]])
def test_nothing_and_twice_the_same(recipes: list[str]) -> None:
    with pytest.raises(UsageError, match=r"nothing to measure|two recipes have the name toy/sine"):
        plan(recipes, [])


def test_a_run_brings_its_own_data(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    toy_model("toy/sine", "data.recordings=3").save(path)
    found = plan([], [path], None, ["data.seconds=3"])
    assert found.data.data == load("toy/sine", ["data.recordings=3", "data.seconds=3"]).data
    assert found.runs[0][0] == path
