"""A convolutional conditioner: residual, dilated, gated; sees the signal and its logarithmic level.

Shapes: x is (B, C, T); the result is pointwise parameters (B, P, T) and pooled parameters (B, Q).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..ops.clock import clock as clock_waves
from ..ops.moving_average import moving_averages


class ConvConditioner(nn.Module):
    """Parameters of a coupling as a function of the untouched half.

    The input x (B, C, T) is joined by its logarithmic level log(ε + x²)/2 per sample, smoothed at several
    scales: level is what a non-stationary signal needs most and what a plain convolution of x cannot express.
    `normalized` adds the signal divided by its level, so that the shape of a quiet stretch is seen as well as
    that of a loud one. A stack of residual blocks (dilated convolution, gated by a sigmoid or not, 1x1)
    follows. A linear skip takes the signal itself to the output by a wide convolution, so that linear
    prediction needs no hidden unit. All output layers start at zero: the coupling starts as the identity.

    Pooled parameters, those of a kernel for the whole window, may be told the cepstrum of x as well: means of
    features over time hold little of a spectrum, and nothing of its lines, where the halves of a signal have
    much the same.

    A condition scales and shifts the features in every block (FiLM, Perez et al., 2018) and is added, through
    a matrix, to the parameters themselves; both start without effect. Zeros stand for an unknown condition,
    which is the network without one.

    Inside, features lie channels last, (B, F, 1, T): on a CPU that takes half the time.

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
        normalized: join x divided by its level at the middle one of the scales.
        gated: silu(a)·sigmoid(b) in the blocks; otherwise silu(a), at half the cost.
        cepstrum: lags 0..K-1 of the cepstrum of x, log|DFT| transformed back, that pooled parameters are
            linear in as well; 0 for none. Lags beyond T/2 count as zero.
        condition_size: K, width of a condition (B, K); 0 takes none.
        clock: harmonics that tell the place in the recording, see `ops.clock`; 0 tells nothing.
        autocast: dtype the network computes in; None for the dtype of the input. The flow itself never
            leaves its dtype.

    Raises ValueError for lengths that are not odd, a normalised copy without levels, and a cepstrum without
    pooled parameters.
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
        normalized: bool = False,
        gated: bool = True,
        cepstrum: int = 0,
        condition_size: int = 0,
        clock: int = 0,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, length in [("kernel", kernel), ("skip_kernel", skip_kernel or 1)]:
            if length % 2 != 1 or length < 1:
                raise ValueError(f"{name} must be odd and positive, got {length}")
        if any(scale % 2 != 1 or scale < 1 for scale in level_scales):
            raise ValueError(f"level_scales must be odd and positive, got {level_scales}")
        if normalized and not level_scales:
            raise ValueError("a normalized copy needs a level to divide by: give level_scales")
        if cepstrum and not pooled:
            raise ValueError("a cepstrum tells of a kernel for the whole window, and there is none")
        self.level_scales = tuple(level_scales)
        self.normalized = normalized
        self.gated = gated
        self.pooled = pooled
        self.cepstrum = cepstrum
        self.autocast = autocast
        features = in_channels * (1 + len(level_scales) + normalized)
        width = 2 * hidden if gated else hidden
        self.clock = clock
        self.enter = nn.Conv1d(features + 2 * clock, hidden, kernel, padding=kernel // 2)
        self.blocks = nn.ModuleList(
            nn.Conv1d(hidden, width, kernel, padding=kernel // 2 * growth**i, dilation=growth**i)
            for i in range(layers)
        )
        self.mixes = nn.ModuleList(nn.Conv1d(hidden, hidden, 1) for _ in range(layers))
        self.modulate = (
            _zero(nn.Linear(condition_size, 2 * width * layers, bias=False))
            if condition_size and layers
            else None
        )
        self.offset = (
            _zero(nn.Linear(condition_size, pointwise + pooled, bias=False)) if condition_size else None
        )
        self.head = _zero(nn.Conv1d(hidden, pointwise, 1))
        self.pooled_head = (
            _zero(nn.Linear(hidden + (len(level_scales) + cepstrum) * in_channels, pooled))
            if pooled
            else None
        )
        self.skip = (
            _zero(nn.Conv1d(features, pointwise, skip_kernel, padding=skip_kernel // 2, bias=False))
            if skip_kernel
            else None
        )

    def forward(
        self, x: Tensor, condition: Tensor | None = None, span: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Parameters for the half x (B, C, T): pointwise (B, P, T), pooled (B, Q), in the dtype of x.

        Without a condition (B, K) it is unknown, and so is the place without a span (B or 1, 2). Raises
        ValueError for a condition that the network was not made for.
        """
        if condition is not None and self.offset is None:
            raise ValueError("this conditioner takes no condition")
        levels = self._levels(x)
        enabled = self.autocast is not None
        with torch.autocast(x.device.type, dtype=self.autocast if enabled else None, enabled=enabled):
            features = _channels_last(torch.cat([x, levels, *self._normalized(x, levels)], dim=1))
            h = _convolve(self.enter, self._with_clock(features, x, span))
            for block, mix, film in zip(self.blocks, self.mixes, self._films(condition), strict=True):
                inner = _convolve(block, h)
                if film is not None:
                    scale, shift = film.chunk(2, dim=1)
                    inner = inner * (1.0 + scale) + shift
                h = _add(h, _convolve(mix, self._activate(inner)))
            h = _silu(h)
            pointwise = _convolve(self.head, h)
            if self.skip is not None:
                pointwise = _add(pointwise, _convolve(self.skip, features))
            if self.pooled_head is None:
                pooled = x.new_zeros(x.shape[0], 0)
            else:
                summary = [h.mean((2, 3)), levels.mean(-1), *self._cepstrum(x)]
                pooled = self.pooled_head(torch.cat(summary, dim=1))
            if condition is not None and self.offset is not None:
                offset = self.offset(condition)
                pointwise = pointwise + offset[:, : pointwise.shape[1], None, None]
                pooled = pooled + offset[:, pointwise.shape[1] :]
        return pointwise.squeeze(2).to(x.dtype), pooled.to(x.dtype)

    def _with_clock(self, features: Tensor, x: Tensor, span: Tensor | None) -> Tensor:
        if not self.clock:
            return features
        return torch.cat([features, _channels_last(clock_waves(span, self.clock, x))], dim=1)

    def _activate(self, h: Tensor) -> Tensor:
        if not self.gated:
            return _silu(h)
        a, b = h.chunk(2, dim=1)
        return F.silu(a) * torch.sigmoid(b)

    def _normalized(self, x: Tensor, levels: Tensor) -> list[Tensor]:
        if not self.normalized:
            return []
        middle = len(self.level_scales) // 2 * x.shape[1]
        return [x * torch.exp(-levels[:, middle : middle + x.shape[1]])]

    def _levels(self, x: Tensor) -> Tensor:
        """Logarithm of the moving standard deviation of x, at each scale: (B, S·C, T)."""
        if not self.level_scales:
            return x[:, :0]
        return 0.5 * torch.log(moving_averages(x.square(), self.level_scales) + 1e-4)

    def _cepstrum(self, x: Tensor) -> list[Tensor]:
        """The first lags (B, C·K) of the cepstrum, with the floor of the levels."""
        if not self.cepstrum:
            return []
        length = x.shape[-1]
        log_power = torch.log(torch.fft.rfft(x, norm="ortho").abs().square() + 1e-4)
        lags = torch.fft.irfft(0.5 * log_power, n=length)[..., : min(self.cepstrum, length // 2 + 1)]
        return [F.pad(lags, (0, self.cepstrum - lags.shape[-1])).flatten(1)]

    def _films(self, condition: Tensor | None) -> list[Tensor | None]:
        """Scales and shifts (B, 2·width, 1, 1) of every block; None where there is no condition."""
        if self.modulate is None or condition is None:
            return [None] * len(self.blocks)
        return list(self.modulate(condition)[..., None, None].chunk(len(self.blocks), dim=1))


def _channels_last(x: Tensor) -> Tensor:
    """(B, F, T) -> (B, F, 1, T) with the features of a step side by side in memory."""
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _convolve(layer: nn.Module, x: Tensor) -> Tensor:
    """A one-dimensional convolution layer on features (B, F, 1, T) that lie channels last."""
    assert isinstance(layer, nn.Conv1d)
    # Every layer here keeps the length: half its reach on either side.
    dilation = layer.dilation[0]
    padding = layer.kernel_size[0] // 2 * dilation
    return F.conv2d(x, layer.weight.unsqueeze(2), layer.bias, padding=(0, padding), dilation=(1, dilation))


def _add(x: Tensor, y: Tensor) -> Tensor:
    return x.add_(y) if _for_good() else x + y


def _silu(x: Tensor) -> Tensor:
    return F.silu(x, inplace=_for_good())


def _for_good() -> bool:
    """Whether features may be written over, as large batches are bound by memory: nobody takes gradients.

    Of a program that is traced somebody may, later.
    """
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling())


def _zero(layer: nn.Module) -> nn.Module:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
