"""What the processes of a training do together: gradients added up, weights equal from the start to the end.

torch's DistributedDataParallel would average the gradients of the processes, each of a mean of its own. Here
a step is the mean over all real samples of its batch, of which one process may have more than another
(windows with gaps, a batch that does not divide), and a batch may go through in parts: one sum of all
gradients, each weighed by its samples, behind the last part, is exact for any shares, and needs neither hooks
nor a wrapper around the flow. The flows trained here are small: sending while it still computes, as DDP does,
would gain little.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from safetensors.torch import load as unpack
from safetensors.torch import save as pack
from torch import Tensor

from ..errors import SeqflowError, UsageError
from ..flow import Flow
from ..model import fill
from ..ranks import Ranks
from ..recipe import Recipe

T = TypeVar("T")


def add_gradients(flow: Flow, weight: float, ranks: Ranks) -> None:
    """Make the gradients of a flow the sum of those of all processes, each times the weight given there.

    All go as one tensor. A parameter that no process has a gradient of keeps none.
    """
    parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    parts = [_flat(parameter) * weight for parameter in parameters]
    there = [float(parameter.grad is not None) for parameter in parameters]
    joined = torch.cat([*parts, parts[0].new_tensor(there)])
    ranks.add(joined)
    *sums, counts = torch.split(joined, [*(p.numel() for p in parameters), len(parameters)])
    for parameter, total, count in zip(parameters, sums, counts.tolist(), strict=True):
        parameter.grad = total.view_as(parameter).to(parameter.dtype) if count else None


def spread_weights(flow: Flow, ranks: Ranks, device: torch.device) -> None:
    """Give every process the weights and buffers of the first one's flow, and move them to its device."""
    if ranks.size > 1:
        own = {name: tensor.cpu().contiguous().clone() for name, tensor in flow.state_dict().items()}
        sent = ranks.broadcast(pack(own) if ranks.first else b"")
        if not ranks.first:
            fill(flow, unpack(sent))
    flow.to(device)


def check_equal(tensors: Mapping[str, Tensor], step: int, ranks: Ranks) -> None:
    """Raise SeqflowError where a process has other tensors than the first, to the bit."""
    if ranks.size == 1:
        return
    digest = hashlib.sha256()
    for name in sorted(tensors):
        plain = tensors[name].detach().cpu().contiguous().reshape(-1)
        digest.update(plain.view(torch.uint8).numpy().data)
    digests = ranks.gather_bytes(digest.digest())
    others = [rank for rank, found in enumerate(digests) if found != digests[0]]
    if others:
        raise SeqflowError(
            f"step {step}: process {others[0]} has other weights than process 0: machines that compute "
            "differently, or memory that fails; train on machines of one kind; --resume goes on from the "
            "last checkpoint"
        )


def check_shares(recipe: Recipe, ranks: Ranks) -> None:
    """Raise UsageError where a batch has no window for every process."""
    if recipe.train.batch < ranks.size:
        raise UsageError(
            f"train.batch: {recipe.train.batch} windows cannot be shared by {ranks.size} processes; start "
            "fewer of them, or raise train.batch"
        )


def check_same_data(fingerprint: str, ranks: Ranks) -> None:
    """Raise UsageError where a process has found other data than the first."""
    found = ranks.gather_bytes(fingerprint.encode())
    others = [rank for rank, other in enumerate(found) if other != found[0]]
    if others:
        raise UsageError(
            f"data.root: process {others[0]} finds other data there than process 0; give every host the same"
        )


def from_first(ranks: Ranks, path: Path | None, read: Callable[[Path], T]) -> T | None:
    """What a file of the first process holds, in every process; None where it gives no path.

    The others may not see its disk: they get the bytes.
    """
    if ranks.size == 1:
        return None if path is None else read(path)
    with ranks.together():
        blob = path.read_bytes() if ranks.first and path is not None else b""
    blob = ranks.broadcast(blob)
    if not blob:
        return None
    with ranks.together(), TemporaryDirectory() as folder:
        copy = Path(folder, "copy.safetensors")
        if not ranks.first:
            copy.write_bytes(blob)
        return read(path if ranks.first and path is not None else copy)


def _flat(parameter: Tensor) -> Tensor:
    gradient = parameter.grad
    return torch.zeros_like(parameter).reshape(-1) if gradient is None else gradient.reshape(-1)
