"""What a layer computes from its parameters alone, kept for as long as they stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")

# Results kept at a time: two directions, and a window length or two.
_KEPT = 4


class Memory(Generic[T]):
    """Results of a function of one small parameter, for evaluation on the CPU.

    A result is used again only while the parameter has the values that it was made from; these are compared
    each time, so that no way of changing them (training, loading, `.data`) can leave a stale one. Nothing is
    kept in training mode, where a gradient is required, while a graph is traced, or on other devices, where
    the comparison would wait for the device. Copies of a layer start with an empty memory.
    """

    def __init__(self) -> None:
        # Values and their results in one object that is only ever replaced: safe for several readers.
        self._kept: tuple[Tensor, dict[Hashable, T]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Memory, ()

    def recall(self, layer: nn.Module, parameter: Tensor, key: Hashable, make: Callable[[], T]) -> T:
        """make(), or what it gave before for the same key and the same values of the parameter."""
        needed = torch.is_grad_enabled() and parameter.requires_grad
        if layer.training or needed or parameter.device.type != "cpu" or torch.compiler.is_compiling():
            return make()
        values, results = self._kept or (None, {})
        if values is None or values.dtype != parameter.dtype or not torch.equal(values, parameter):
            values, results = None, {}
        elif key in results:
            return results[key]
        # An inference tensor could not be saved for a later backward pass through the input.
        with torch.inference_mode(False), torch.no_grad():
            values = parameter.clone() if values is None else values
            found = make()
        self._kept = values, {**dict(list(results.items())[1 - _KEPT :]), key: found}
        return found
