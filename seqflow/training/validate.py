"""How good the averaged weights are: likelihood of held-back windows, and the error of the inverse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..data.batch import Batch
from ..data.dataset import Windows
from ..flow import Flow
from ..objective import Loss, negative_log_likelihood, weigh
from ..ranks import ALONE, Ranks

TOLERANCE = 1e-6
"""Largest round-trip error in float64, relative to the data's deviation, of a model that is fit to keep."""

_ROUND_TRIP_WINDOWS = 16


@dataclass(frozen=True)
class Validation:
    """Figures of a validation after `step` steps.

    nats per sample in the units of the data; bits per sample, None where the data have no step. The largest
    round-trip errors over some windows are relative to the data's deviation.
    """

    step: int
    nats: float
    bits: float | None
    windows: int
    round_trip_float32: float
    round_trip_float64: float

    @property
    def fault(self) -> str | None:
        """Why the weights are not fit to keep; None for fit ones."""
        if not math.isfinite(self.nats):
            return "the likelihood is not finite"
        if not self.round_trip_float64 <= TOLERANCE:
            return f"the round-trip error {self.round_trip_float64:.1e} in float64 is above {TOLERANCE:g}"
        return None


@torch.no_grad()
def validate(
    flow: Flow, windows: Windows, *, size: int, limit: int, device: torch.device, ranks: Ranks = ALONE
) -> list[float]:
    """Try a flow in evaluation mode on at most `limit` windows, in batches of `size`, without augmentation.

    The dither is that of an evaluation: the same in every validation. Each process takes its share of the
    windows; figures for `joined` come back.
    """
    losses: list[Loss] = []
    spread = Spread()
    tried = ranks.share(min(len(windows), limit))
    for batch in windows.in_order(size, limit, tried):
        spread.add(batch)
        losses.append(negative_log_likelihood(flow, batch.to(device)))
    few = min(limit, _ROUND_TRIP_WINDOWS)
    share = ranks.share(min(len(windows), few))
    single = double = 0.0
    if share:
        single, double = round_trips(
            flow, next(windows.in_order(min(size, len(share)), few, share)).to(device)
        )
    return [*weigh(losses).row, len(tried), *spread.sums, single, double]


def joined(step: int, rows: Sequence[Sequence[float]]) -> Validation:
    """The validation of all windows after `step` steps, from what `validate` found in every process."""
    loss = weigh(Loss.of(row[:3]) for row in rows)
    deviation = Spread(*(sum(row[column] for row in rows) for column in (4, 5, 6))).deviation
    # As a tensor: its maximum keeps what is no number.
    single, double = torch.tensor([row[7:9] for row in rows], dtype=torch.float64).amax(0).tolist()
    windows = sum(int(row[3]) for row in rows)
    return Validation(step, loss.nats, loss.bits, windows, single / deviation, double / deviation)


def round_trips(flow: Flow, batch: Batch) -> tuple[float, float]:
    """Largest errors of data -> noise -> data in float32 and float64, in the units of the data."""
    context = batch.context()
    single = flow.round_trip(batch.x, context)
    double = flow.in_float64().round_trip(batch.x.double(), context)
    return single.absolute, double.absolute


class Spread:
    """Standard deviation of the real samples of batches, all channels together."""

    def __init__(self, count: float = 0.0, total: float = 0.0, squares: float = 0.0) -> None:
        self._count = count
        self._sum = total
        self._squares = squares

    @property
    def sums(self) -> tuple[float, float, float]:
        """Number of samples, their sum and that of their squares."""
        return self._count, self._sum, self._squares

    def add(self, batch: Batch) -> None:
        """Take in a batch."""
        real = batch.x.double() * batch.mask.unsqueeze(1)
        self._count += int(batch.mask.sum()) * batch.x.shape[1]
        self._sum += float(real.sum())
        self._squares += float(real.square().sum())

    @property
    def deviation(self) -> float:
        """In the units of the data; 1 where nothing moves, so that it can be divided by."""
        count = max(1, self._count)
        variance = self._squares / count - (self._sum / count) ** 2
        return math.sqrt(variance) if variance > 0.0 else 1.0
