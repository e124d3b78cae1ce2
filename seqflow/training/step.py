"""One pass over a batch: the loss and its gradients, in parts where memory asks."""

from __future__ import annotations

from ..data.batch import Batch
from ..flow import Flow
from ..objective import Loss, negative_log_likelihood, weigh


def accumulate(flow: Flow, batch: Batch, size: int) -> Loss:
    """Loss of a batch; its gradients are left in the parameters, and nothing else is.

    The batch goes through in parts of `size` windows, each weighted by its real samples: whatever the size,
    the gradients are those of the whole batch.
    """
    for parameter in flow.parameters():
        parameter.grad = None
    total = max(1, int(batch.mask.sum()) * batch.x.shape[1])
    losses = []
    for part in batch.split(size):
        loss = negative_log_likelihood(flow, part)
        (loss.value * (loss.samples / total)).backward()  # type: ignore[no-untyped-call]
        losses.append(Loss(loss.value.detach(), loss.log_step, loss.samples))
    return weigh(losses)
