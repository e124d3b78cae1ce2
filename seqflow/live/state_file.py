"""The state of a stream in a file: arrays and JSON, refused when a bit of it has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..checkpoint import read_checkpoint, write_checkpoint
from ..errors import CheckpointError

FORMAT = "seqflow-stream"
_ARRAY = "array"


def write_state(path: Path, state: Mapping[str, Any], of: Mapping[str, str]) -> None:
    """Write a state: nested mappings of arrays and plain JSON values. `of`: what it belongs to.

    Raises ResourceError where the file cannot be written; the one before it is then untouched.
    """
    tensors: dict[str, torch.Tensor] = {}
    plain = _part(dict(state), tensors)
    write_checkpoint(path, tensors, {"format": FORMAT, "of": dict(of), "state": plain})


def read_state(path: Path, of: Mapping[str, str]) -> dict[str, Any]:
    """A state of `write_state`.

    Raises CheckpointError for a file that is damaged or something else, or whose `of` is another one, naming
    the first key that differs.
    """
    tensors, meta = read_checkpoint(path, FORMAT)
    there = meta.get("of")
    if not isinstance(there, dict):
        raise CheckpointError(f"{path}: is no state of this program; take another --state")
    for key, own in of.items():
        if there.get(key) != own:
            raise CheckpointError(
                f"{path}: is the state of another {key} ({there.get(key)!s:.24}, this one is {own:.24}); "
                "take another --state, or remove it and begin anew"
            )
    try:
        found: dict[str, Any] = _join(meta["state"], tensors)
    except (KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path}: is damaged; take another --state") from None
    return found


def _part(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, np.ndarray):
        name = f"a{len(tensors)}"
        tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
        return {_ARRAY: name, "shape": list(value.shape)}
    if isinstance(value, Mapping):
        return {str(key): _part(inner, tensors) for key, inner in value.items()}
    return value


def _join(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, dict) and value.keys() == {_ARRAY, "shape"}:
        return tensors[value[_ARRAY]].numpy().reshape(value["shape"])
    if isinstance(value, dict):
        return {key: _join(inner, tensors) for key, inner in value.items()}
    return value
