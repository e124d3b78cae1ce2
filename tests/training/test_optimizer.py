"""What decays, how fast it learns, and what is averaged."""

from __future__ import annotations

import math

import pytest
import torch
from runs import make_material, make_recipe

from seqflow.errors import CheckpointError
from seqflow.flow import Flow
from seqflow.recipe import TrainConfig
from seqflow.training.assemble import new_flow
from seqflow.training.ema import Average
from seqflow.training.optimizer import (
    gradient_norm,
    learning_rate,
    make_optimizer,
    optimizer_tensors,
    restore_optimizer,
)


@pytest.fixture
def flow() -> Flow:
    recipe = make_recipe()
    return new_flow(recipe, make_material(recipe))


def test_only_the_matrices_of_networks_decay(flow: Flow) -> None:
    optimizer = make_optimizer(flow, TrainConfig(weight_decay=0.5))
    names = {id(p): name for name, p in flow.named_parameters()}
    decaying = {
        names[id(p)] for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]
    }
    assert decaying == {name for name in names.values() if "conditioner" in name and name.endswith("weight")}
    assert decaying
    together = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(together) == sorted(id(p) for p in flow.parameters() if p.requires_grad)


def test_the_learning_rate_rises_and_falls() -> None:
    config = TrainConfig(steps=101, warmup=20, lr=0.5, min_lr_ratio=0.1)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.5 / 20)
    assert rates[19] == rates[20] == 0.5
    assert rates[60] == pytest.approx(0.5 * (0.1 + 0.9 * 0.5))
    assert rates[100] == pytest.approx(0.05)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert learning_rate(0, TrainConfig(steps=1, warmup=0)) == 1e-3
    assert learning_rate(4, TrainConfig(steps=5, warmup=5)) == 1e-3


def test_state_comes_back_as_it_was(flow: Flow) -> None:
    config = TrainConfig(weight_decay=0.1)

    def steps(flow: Flow, optimizer: torch.optim.Optimizer, count: int) -> None:
        for index in range(count):
            for k, p in enumerate(flow.parameters()):
                p.grad = torch.full_like(p, math.sin(k + index))
            optimizer.step()

    optimizer = make_optimizer(flow, config)
    assert optimizer_tensors(optimizer, flow) == {}
    steps(flow, optimizer, 3)
    saved = {name: tensor.clone() for name, tensor in optimizer_tensors(optimizer, flow).items()}
    other = Average(flow, 0.0).flow.requires_grad_(True)
    steps(flow, optimizer, 2)
    again = make_optimizer(other, config)
    restore_optimizer(again, other, saved)
    steps(other, again, 2)
    for ours, theirs in zip(flow.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(CheckpointError):
        restore_optimizer(make_optimizer(flow, config), flow, dict(list(saved.items())[:-1]))
    with pytest.raises(CheckpointError):
        restore_optimizer(make_optimizer(flow, config), flow, {**saved, "step.other": torch.zeros(())})


def test_the_average_forgets_its_start(flow: Flow) -> None:
    average = Average(flow, 0.9)
    parameter = next(flow.parameters())
    mean = next(average.flow.parameters())
    expected = parameter.detach().clone()
    assert torch.equal(mean, expected)
    for step in range(100):
        with torch.no_grad():
            for p in flow.parameters():
                p.fill_(step)
        average.update(flow, step)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(mean.detach(), expected)
    assert not average.flow.training
    buffer = dict(flow.named_buffers())["bijection.layers.1.mean"]
    buffer.fill_(7.0)
    Average.update(average, flow, 100)
    assert float(dict(average.flow.named_buffers())["bijection.layers.1.mean"]) == 7.0


def test_no_memory_means_no_average(flow: Flow) -> None:
    average = Average(flow, 0.0)
    with torch.no_grad():
        for p in flow.parameters():
            p.normal_()
    average.update(flow, 50)
    for ours, theirs in zip(flow.parameters(), average.flow.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_norm_is_over_all_gradients(flow: Flow) -> None:
    assert float(gradient_norm(flow)) == 0.0
    for p in flow.parameters():
        p.grad = torch.full_like(p, 2.0)
    count = sum(p.numel() for p in flow.parameters())
    assert float(gradient_norm(flow)) == pytest.approx(2.0 * math.sqrt(count))
