"""Layers remember their spectra in evaluation, and never a stale one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from seqflow.bijections import Bijection, CausalConv, CircularConv, MultichannelConv, SymmetricConv, Whitening
from seqflow.bijections.memory import Memory

LAYERS: list[Callable[[], Bijection]] = [
    lambda: CircularConv(2, 3),
    lambda: SymmetricConv(2, 3),
    lambda: SymmetricConv(2, 3, "whole"),
    lambda: CausalConv(2, 3),
    lambda: MultichannelConv(2, 2),
    lambda: Whitening(2, 4),
    lambda: Whitening(2, 4, "causal"),
]


def started(make: Callable[[], Bijection]) -> tuple[Bijection, nn.Parameter]:
    layer = make().eval()
    (parameter,) = layer.parameters()
    with torch.no_grad():
        parameter.normal_(std=0.1, generator=torch.Generator().manual_seed(0))
    return layer, parameter


def windows(length: int = 16, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(3, 2, length, generator=torch.Generator().manual_seed(1)).to(dtype)


def fresh(layer: Bijection, x: Tensor) -> tuple[Tensor, ...]:
    """What the layer gives without any memory."""
    with torch.no_grad():
        twin = copy.deepcopy(layer).train()
        return (*twin(x), *twin.inverse(x))


def check(layer: Bijection, x: Tensor) -> None:
    for _ in range(2):
        with torch.no_grad():
            got = (*layer(x), *layer.inverse(x))
        assert all(torch.equal(a, b) for a, b in zip(got, fresh(layer, x), strict=True))


def test_a_result_is_used_again() -> None:
    layer, parameter = nn.Linear(1, 1).eval(), torch.zeros(2)
    memory: Memory[Tensor] = Memory()
    first = memory.recall(layer, parameter, 8, lambda: torch.ones(1))
    assert memory.recall(layer, parameter, 8, lambda: torch.zeros(1)) is first
    assert memory.recall(layer, parameter, 9, lambda: torch.zeros(1)) is not first
    for key in range(10, 20):
        memory.recall(layer, parameter, key, lambda: torch.zeros(1))
    assert memory.recall(layer, parameter, 8, lambda: torch.zeros(1)) is not first


@pytest.mark.parametrize("make", LAYERS)
def test_lengths_and_dtypes_are_kept_apart(make: Callable[[], Bijection]) -> None:
    layer, _ = started(make)
    for length in (16, 17, 16):
        check(layer, windows(length))
    check(layer.double(), windows(16, torch.float64))
    check(layer.float(), windows(16))


def _train(layer: Bijection, parameter: nn.Parameter) -> None:
    optimiser = torch.optim.Adam([parameter], lr=0.1)
    layer(windows())[0].square().sum().backward()
    optimiser.step()


def _load(layer: Bijection, parameter: nn.Parameter) -> None:
    layer.load_state_dict({name: value + 0.1 for name, value in layer.state_dict().items()})


def _data(layer: Bijection, parameter: nn.Parameter) -> None:
    parameter.data.add_(0.1)


def _new_data(layer: Bijection, parameter: nn.Parameter) -> None:
    parameter.data = parameter.data + 0.1


def _in_place(layer: Bijection, parameter: nn.Parameter) -> None:
    with torch.no_grad():
        parameter.mul_(1.5)


def _initialize(layer: Bijection, parameter: nn.Parameter) -> None:
    layer.initialize(5.0 * windows())


CHANGES = [_train, _load, _data, _new_data, _in_place, _initialize]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", LAYERS)
def test_no_change_of_the_parameter_leaves_a_stale_result(
    make: Callable[[], Bijection], change: Callable[[Bijection, nn.Parameter], None]
) -> None:
    layer, parameter = started(make)
    check(layer, windows())
    change(layer, parameter)
    check(layer, windows())


@pytest.mark.parametrize("make", LAYERS)
def test_gradients_to_the_parameter_are_never_cut_off(make: Callable[[], Bijection]) -> None:
    layer, parameter = started(make)
    check(layer, windows())
    layer(windows())[0].square().sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.abs().max() > 0


@pytest.mark.parametrize("make", LAYERS)
def test_what_inference_mode_left_serves_a_gradient_to_the_input(make: Callable[[], Bijection]) -> None:
    layer, parameter = started(make)
    with torch.inference_mode():
        layer(windows())
    x = windows().requires_grad_()
    parameter.requires_grad_(False)
    layer(x)[0].square().sum().backward()
    assert x.grad is not None
    check(layer, windows())


def test_copies_start_with_an_empty_memory() -> None:
    layer, _ = started(LAYERS[0])
    check(layer, windows())
    twin = copy.deepcopy(layer)
    assert twin._memory._kept is None
    assert list(twin.state_dict()) == list(layer.state_dict())
    check(twin, windows())
