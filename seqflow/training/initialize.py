"""The start of a flow from the data: its whitening, its scales and its base, before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..data.batch import Batch
from ..data.dataset import Windows
from ..errors import UsageError
from ..flow import Flow

_MOST_WINDOWS = 512
_MOST_SAMPLES = 1 << 22
_BATCH = 64


def initialize(flow: Flow, windows: Windows, device: torch.device) -> list[int]:
    """Set the data-dependent parameters from up to 512 windows, evenly spaced over the training data.

    A base density that can make use of more gets the noise of as many as it says. Windows with missing
    samples take part only where whole ones are scarce. Long windows are fewer, so that they fit in memory
    together. Returns the channels that never move in these windows; raises UsageError where none does.
    """
    most = max(1, min(_MOST_WINDOWS, _MOST_SAMPLES // (windows.channels * windows.window)))
    batch = _whole(list(windows.in_order(_BATCH, most)))
    low, high = batch.x.amin(dim=(0, 2)), batch.x.amax(dim=(0, 2))
    constant: list[int] = torch.nonzero(low == high).flatten().tolist()
    if len(constant) == windows.channels:
        raise UsageError("data: the training data are constant; there is nothing to learn from them")
    batch = batch.to(device)
    training = flow.training
    flow.eval().initialize(batch.x, batch.context())
    if flow.base.examples > most and len(windows) > most:
        flow.base.initialize(_noise(flow, windows, device))
    flow.train(training)
    return constant


@torch.no_grad()
def _noise(flow: Flow, windows: Windows, device: torch.device) -> Tensor:
    """Noise (B, C', T') of as many windows as the base density can make use of."""
    parts = []
    for batch in windows.in_order(_BATCH, flow.base.examples):
        whole = batch[batch.mask.all(dim=1)].to(device)
        if len(whole):
            parts.append(flow.to_noise(whole.x, whole.context())[0])
    return torch.cat(parts)


def _whole(batches: Sequence[Batch]) -> Batch:
    joined = Batch.join(batches)
    whole = joined.mask.all(dim=1)
    count = int(whole.sum())
    if count < 32 and 4 * count < len(whole):
        return joined
    return joined[whole]
