"""Constant tables that cost more to make than to keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")

# Tables kept by each function; the one not used for longest goes first.
_KEPT = 24


def remembered(make: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Keep the tensors that a function makes, by its (hashable, positional) arguments. Do not change them.

    They never carry gradients and can be saved for a backward pass even if made in inference mode. While a
    graph is traced nothing is kept: a table then belongs to the graph.
    """
    kept: dict[tuple[object, ...], Tensor] = {}
    lock = Lock()

    @wraps(make)
    def table(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        if torch.compiler.is_compiling():
            return make(*args, **kwargs)
        key = (*args, *sorted(kwargs.items()))
        with lock:
            found = kept.pop(key, None)
            if found is None:
                with torch.inference_mode(False), torch.no_grad():
                    found = make(*args, **kwargs)
            # A tracing mode hands out stand-ins for tensors; those must not outlive it.
            if type(found) is Tensor:
                kept[key] = found
                if len(kept) > _KEPT:
                    del kept[next(iter(kept))]
        return found

    return table
