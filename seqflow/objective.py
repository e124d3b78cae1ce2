"""What training minimises: the negative log-likelihood per sample.

Shapes: a batch has windows x (B, C, T) and a mask (B, T), see `data.batch`. A sample is one number: a real
step of a window has C of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .data.batch import Batch
from .flow import Flow


@dataclass(frozen=True)
class Loss:
    """Mean negative log-likelihood of the real samples of a batch.

    Attributes:
        value: () nats per sample, with its graph.
        log_step: mean natural log of the quantisation step over the samples; None where one has no step.
        samples: number of real samples.
    """

    value: Tensor
    log_step: float | None
    samples: int

    @property
    def row(self) -> tuple[float, float, float]:
        """The figures as numbers: nats, mean log of the step (NaN for None), samples."""
        return self.nats, math.nan if self.log_step is None else self.log_step, self.samples

    @classmethod
    def of(cls, row: Sequence[float]) -> Loss:
        """The inverse of `row`, without a graph."""
        nats, log_step, samples = row
        value = torch.tensor(nats, dtype=torch.float64)
        return cls(value, None if math.isnan(log_step) else log_step, int(samples))

    @property
    def nats(self) -> float:
        """Nats per sample, in the density's unit: that of x."""
        return float(self.value.detach())

    @property
    def bits(self) -> float | None:
        """Bits per sample, (nats - ln Δ)/ln 2; None for data without a step Δ."""
        if self.log_step is None:
            return None
        return (self.nats - self.log_step) / math.log(2.0)


def negative_log_likelihood(flow: Flow, batch: Batch) -> Loss:
    """Mean of -log p over the real samples: for whole windows -log p(x)/(C·T), averaged over the windows.

    Windows with masked samples count by the shares of their real ones (`Flow.per_step`); what a window fills
    a gap with still reaches its neighbours through the convolutions.
    """
    channels = batch.x.shape[1]
    lengths = batch.mask.sum(dim=1)
    steps = int(lengths.sum())
    samples = steps * channels
    # A batch without a real sample has the loss 0, not 0/0.
    divisor = max(samples, 1)
    context = batch.context()
    if steps == batch.mask.numel():
        value = -flow.log_prob(batch.x, context).sum() / divisor
    else:
        shares = flow.per_step(batch.x, context)
        value = -torch.where(batch.mask, shares, torch.zeros_like(shares)).sum() / divisor
    log_step = None
    if steps and bool((batch.step > 0).all()):
        log_step = float((batch.step.double().log() * lengths).sum() / steps)
    return Loss(value, log_step, samples)


def weigh(losses: Iterable[Loss]) -> Loss:
    """The loss of the batch that these are the parts of, without a graph."""
    parts = [loss for loss in losses if loss.samples]
    samples = sum(loss.samples for loss in parts)
    divisor = max(samples, 1)
    value = sum(loss.nats * loss.samples for loss in parts) / divisor
    logs = [loss.log_step * loss.samples for loss in parts if loss.log_step is not None]
    log_step = sum(logs) / divisor if parts and len(logs) == len(parts) else None
    return Loss(torch.tensor(value, dtype=torch.float64), log_step, samples)
