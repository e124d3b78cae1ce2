"""Training by recomputed activations, as a recipe asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from runs import assert_same_run, make_recipe, read_log, stop_at, train_small

from seqflow.bijections import Chain
from seqflow.build import build_flow
from seqflow.checkpoint import read_checkpoint
from seqflow.errors import Interrupted, UsageError

KEY = "train.memory=recompute"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    train_small(out, KEY)
    return out


def test_the_weights_are_those_of_kept_activations(tmp_path: Path, whole: Path) -> None:
    train_small(tmp_path / "kept")
    kept, recomputed = (read_checkpoint(out / "best.safetensors")[0] for out in (tmp_path / "kept", whole))
    assert kept.keys() == recomputed.keys()
    # Adam divides by the size of a gradient, so that of one near nothing shows its rounding.
    for name, tensor in kept.items():
        assert torch.allclose(recomputed[name].double(), tensor.double(), rtol=1e-3, atol=1e-4), name
    nats = [
        [line["nats"] for line in read_log(out) if line["event"] == "validated"]
        for out in (tmp_path / "kept", whole)
    ]
    assert len(nats[0]) > 2
    assert nats[1] == pytest.approx(nats[0], abs=1e-5)


def test_a_stopped_training_goes_on_to_the_bit(tmp_path: Path, whole: Path) -> None:
    out = tmp_path / "a"
    with pytest.raises(Interrupted):
        train_small(out, KEY, on_event=stop_at(7))
    with pytest.raises(UsageError, match=r"train\.memory: the run was begun with recompute"):
        train_small(out, resume=True)
    train_small(out, KEY, resume=True)
    assert_same_run(out, whole)


def test_only_a_recipe_that_asks_recomputes() -> None:
    flows = [build_flow(make_recipe(*keys), 1) for keys in ((), (KEY,), (KEY, "train.precision=bf16"))]
    chains = [[m for m in flow.modules() if isinstance(m, Chain)] for flow in flows]
    assert all(chain.recompute is None for chain in chains[0])
    single, half = ({chain.recompute for chain in found} for found in chains[1:])
    assert len(single) == len(half) == 1
    assert 0 < (single.pop() or 0.0) < (half.pop() or 0.0)
