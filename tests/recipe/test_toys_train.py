"""The recipes that need no data train, whatever their length: here three steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from seqflow import load, load_recipe, train
from seqflow.recipe import names
from seqflow.training.events import Event, Finished, Step

SHORT = [
    *("train.steps=3", "train.warmup=0", "train.batch=2", "train.validate_every=3"),
    *("train.validate_windows=2", "train.threads=1", "data.recordings=8"),
]


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("toy/")])
def test_a_toy_trains_three_steps(name: str, tmp_path: Path) -> None:
    seen: list[Event] = []
    model = train(load_recipe(name, SHORT), tmp_path / "run", device="cpu", on_event=seen.append)
    assert [event.step for event in seen if isinstance(event, Step)] == [1, 2, 3]
    assert isinstance(seen[-1], Finished)
    x = model.sample(2, length=model.window)
    assert torch.equal(load(tmp_path / "run").log_prob(x), model.log_prob(x))
    assert all(json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert load_recipe(str(tmp_path / "run" / "recipe.yaml")) == model.recipe
