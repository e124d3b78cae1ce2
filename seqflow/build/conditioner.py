"""From a recipe to the networks of couplings."""

from __future__ import annotations

import torch
from torch import nn

from ..networks.conv_net import ConvConditioner
from ..recipe.layers import ConditionerConfig, ConvConditionerConfig


def build_conditioner(
    config: ConditionerConfig,
    channels: int,
    counts: tuple[int, int],
    autocast: torch.dtype | None = None,
    condition_size: int = 0,
    clock: int = 0,
) -> nn.Module:
    """The network from `channels` untouched channels to (point-wise, pooled) parameters."""
    match config:
        case ConvConditionerConfig():
            return ConvConditioner(
                channels,
                *counts,
                hidden=config.hidden,
                layers=config.layers,
                kernel=config.kernel,
                growth=config.growth,
                skip_kernel=config.skip_kernel,
                level_scales=config.level_scales,
                normalized=config.normalized,
                gated=config.gated,
                cepstrum=config.cepstrum,
                condition_size=condition_size,
                clock=clock,
                autocast=autocast,
            )
