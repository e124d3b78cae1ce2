"""AdamW, its learning rate over the steps, and its state as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from ..errors import CheckpointError, UsageError
from ..recipe import TrainConfig

_MATRICES = (nn.Linear, nn.Conv1d)
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def make_optimizer(flow: nn.Module, config: TrainConfig) -> AdamW:
    """AdamW over what is trainable; only weight matrices of networks decay.

    For a flow's other parameters (cepstra, scales, the factors of a channel mix) zero is not simpler than
    another value.
    """
    matrices = {id(m.weight) for m in flow.modules() if isinstance(m, _MATRICES)}
    trainable = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    groups = [
        {
            "params": [parameter for parameter in trainable if (id(parameter) in matrices) == decays],
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]
    if not trainable:
        raise UsageError("model.layers: nothing in this model can be trained; add a layer that can")
    return AdamW([group for group in groups if group["params"]], lr=config.lr, foreach=True)


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of step number `step`, counted from 0.

    Rises in a line to lr over `warmup` steps, then falls along half a cosine to lr·min_lr_ratio in the last.
    """
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - 1 - config.warmup)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))
    return config.lr * (config.min_lr_ratio + (1.0 - config.min_lr_ratio) * cosine)


def set_learning_rate(optimizer: AdamW, lr: float) -> None:
    """Set the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def optimizer_tensors(optimizer: AdamW, flow: nn.Module) -> dict[str, Tensor]:
    """What the optimiser remembers of every parameter, as `moment.parameter`."""
    found: dict[str, Tensor] = {}
    for name, parameter in flow.named_parameters():
        state = optimizer.state.get(parameter, {})
        found |= {f"{moment}.{name}": state[moment] for moment in _MOMENTS if moment in state}
    return found


def restore_optimizer(optimizer: AdamW, flow: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`. Raises CheckpointError where the tensors do not fit."""
    used = 0
    for name, parameter in flow.named_parameters():
        given = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS if f"{moment}.{name}" in tensors}
        if not given:
            continue
        if given.keys() != set(_MOMENTS) or given["exp_avg"].shape != parameter.shape:
            raise CheckpointError(f"the optimiser's state of {name} does not fit the recipe")
        used += len(given)
        # The count of steps stays on the CPU, as the optimiser itself would have it.
        optimizer.state[parameter] = {
            "step": given["step"],
            "exp_avg": given["exp_avg"].to(parameter),
            "exp_avg_sq": given["exp_avg_sq"].to(parameter),
        }
    if used != len(tensors):
        raise CheckpointError("the optimiser's state is that of other parameters")


def gradient_norm(flow: nn.Module) -> Tensor:
    """Euclidean norm of all gradients together, ()."""
    gradients = [parameter.grad for parameter in flow.parameters() if parameter.grad is not None]
    return nn.utils.get_total_norm(gradients) if gradients else torch.zeros(())
