"""A convolutional conditioner: residual, dilated, gated; sees the signal and its logarithmic level.

Shapes: x is (B, C, T); the result is pointwise parameters (B, P, T) and pooled parameters (B, Q).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvConditioner(nn.Module):
    """Parameters of a coupling as a function of the untouched half.

    The input x (B, C, T) is joined by its logarithmic level log(ε + x²)/2 per sample, smoothed at several
    scales: level is what a non-stationary signal needs most and what a plain convolution of x cannot express.
    A stack of residual blocks (dilated convolution, gated by a sigmoid, 1x1) follows. A linear skip takes the
    signal itself to the output by a wide convolution, so that linear prediction needs no hidden unit. All
    output layers start at zero: the coupling starts as the identity.

    Args:
        in_channels: C, channels of the untouched half.
        pointwise: P, parameters per step.
        pooled: Q, parameters per window, from the mean over time of the last features.
        hidden: width of the residual stack.
        layers: number of residual blocks; block i is dilated by growth**i.
        kernel: odd length of the dilated convolutions.
        growth: factor from one block's dilation to the next.
        skip_kernel: odd length of the linear skip; 0 leaves it out.
        level_scales: odd lengths of the moving averages of the level; () leaves the level out.
        condition_size: K, width of a condition (B, K); 0 takes none.
        autocast: dtype the network computes in; None for the dtype of the input. The flow itself never
            leaves its dtype.
    """

    def __init__(
        self,
        in_channels: int,
        pointwise: int,
        pooled: int = 0,
        *,
        hidden: int = 48,
        layers: int = 3,
        kernel: int = 5,
        growth: int = 2,
        skip_kernel: int = 17,
        level_scales: tuple[int, ...] = (1, 9, 65),
        condition_size: int = 0,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, length in [("kernel", kernel), ("skip_kernel", skip_kernel or 1)]:
            if length % 2 != 1 or length < 1:
                raise ValueError(f"{name} must be odd and positive, got {length}")
        if any(scale % 2 != 1 or scale < 1 for scale in level_scales):
            raise ValueError(f"level_scales must be odd and positive, got {level_scales}")
        self.level_scales = tuple(level_scales)
        self.pooled = pooled
        self.autocast = autocast
        features = in_channels * (1 + len(level_scales))
        self.enter = nn.Conv1d(features, hidden, kernel, padding=kernel // 2)
        self.blocks = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, kernel, padding=kernel // 2 * growth**i, dilation=growth**i)
            for i in range(layers)
        )
        self.mixes = nn.ModuleList(nn.Conv1d(hidden, hidden, 1) for _ in range(layers))
        self.condition = nn.Linear(condition_size, 2 * hidden * layers) if condition_size else None
        self.head = _zero(nn.Conv1d(hidden, pointwise, 1))
        self.pooled_head = (
            _zero(nn.Linear(hidden + len(level_scales) * in_channels, pooled)) if pooled else None
        )
        self.skip = (
            _zero(nn.Conv1d(features, pointwise, skip_kernel, padding=skip_kernel // 2, bias=False))
            if skip_kernel
            else None
        )

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Parameters for the half x (B, C, T): pointwise (B, P, T), pooled (B, Q), in the dtype of x.

        Raises ValueError if the network was made with a condition and none is given, or the other way round.
        """
        if (condition is None) != (self.condition is None):
            raise ValueError(
                "this conditioner " + ("needs a" if condition is None else "takes no") + " condition"
            )
        levels = self._levels(x)
        enabled = self.autocast is not None
        with torch.autocast(x.device.type, dtype=self.autocast if enabled else None, enabled=enabled):
            features = torch.cat([x, *levels], dim=1)
            h = self.enter(features)
            shifts = self._shifts(condition)
            for block, mix, shift in zip(self.blocks, self.mixes, shifts, strict=True):
                a, b = block(h).add(shift).chunk(2, dim=1)
                h = h + mix(F.silu(a) * torch.sigmoid(b))
            pointwise = self.head(F.silu(h))
            if self.skip is not None:
                pointwise = pointwise + self.skip(features)
            if self.pooled_head is None:
                pooled = x.new_zeros(x.shape[0], 0)
            else:
                summary = torch.cat([F.silu(h).mean(-1), *(level.mean(-1) for level in levels)], dim=1)
                pooled = self.pooled_head(summary)
        return pointwise.to(x.dtype), pooled.to(x.dtype)

    def _levels(self, x: Tensor) -> list[Tensor]:
        """Logarithm of the moving standard deviation of x, at each scale."""
        power = x.square()
        return [0.5 * torch.log(_moving_average(power, scale) + 1e-4) for scale in self.level_scales]

    def _shifts(self, condition: Tensor | None) -> list[Tensor | float]:
        if self.condition is None or condition is None:
            return [0.0] * len(self.blocks)
        return list(self.condition(condition).unsqueeze(-1).chunk(len(self.blocks), dim=1))


def _moving_average(x: Tensor, length: int) -> Tensor:
    """Centred mean over `length` samples, over the samples that exist at the edges."""
    if length == 1:
        return x
    return F.avg_pool1d(x, length, stride=1, padding=length // 2, count_include_pad=False)


def _zero(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
