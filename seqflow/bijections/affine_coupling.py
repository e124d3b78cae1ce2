"""Coupling by a scale and a shift at every step."""

from __future__ import annotations

from torch import Tensor, nn

from .coupling import Coupling, bounded, coupling_sizes


class AffineCoupling(Coupling):
    """y2 = x2·exp(s) + t with (s, t) from conditioner(x1), |s| <= max_log_scale;  log|det| = sum s.

    (B, C, T) -> (B, C, T). Source: Dinh et al., Real NVP, 2017.

    Args:
        channels: C >= 2.
        conditioner: gives P = 2·C2 point-wise parameters (log-scales, then shifts) and no pooled ones.
        swap: change the first ceil(C/2) channels in place of the last.
        max_log_scale: s = max·tanh(raw/max); keeps a deep stack's condition number in hand.
    """

    def __init__(
        self, channels: int, conditioner: nn.Module, *, swap: bool = False, max_log_scale: float = 2.0
    ) -> None:
        super().__init__(channels, conditioner, self.parameter_counts(channels, swap=swap), swap)
        if max_log_scale <= 0:
            raise ValueError(f"max_log_scale must be positive, got {max_log_scale}")
        self.max_log_scale = max_log_scale

    @staticmethod
    def parameter_counts(channels: int, *, swap: bool = False, **_: object) -> tuple[int, int]:
        """(point-wise, pooled) parameters the conditioner must give. Flags that set no count are ignored."""
        return 2 * coupling_sizes(channels, swap)[1], 0

    def _map(self, x: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw, shift = pointwise.chunk(2, dim=1)
        log_scale = bounded(raw, self.max_log_scale)
        return x * log_scale.exp() + shift, log_scale.sum(1), x.new_zeros(x.shape[0])

    def _unmap(self, y: Tensor, pointwise: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw, shift = pointwise.chunk(2, dim=1)
        log_scale = bounded(raw, self.max_log_scale)
        return (y - shift) * (-log_scale).exp(), -log_scale.sum(1), y.new_zeros(y.shape[0])
