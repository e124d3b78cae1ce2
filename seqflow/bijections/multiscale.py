"""Several resolutions: part of the channels leaves after each level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..ops.shapes import squeeze, unsqueeze
from .base import Bijection, Context
from .resolution import at_resolution, input_shape


class MultiScale(Bijection):
    """Levels of bijections; after each but the last, half of the channels go straight to the noise.

    Of c channels behind a level the first ceil(c/2) go on and the rest leaves. At the end everything is
    squeezed to the lowest resolution and joined along channels, in the order of leaving and the last level
    at the end: column t of the result belongs to one stretch of time. C·T is kept, so for an overall factor
    R the shape is (B, C·R, T/R). A level usually begins with a `Squeeze`; no level may raise the resolution.

    Raises ValueError where a level but the last leaves a single channel, or a length does not divide.
    Source: Dinh et al., Real NVP, 2017.
    """

    # Its levels are chains, which forget on their own.
    reversible = False

    def __init__(self, levels: Sequence[Bijection]) -> None:
        super().__init__()
        if not levels:
            raise ValueError("a multi-scale bijection needs at least one level")
        self.levels = nn.ModuleList(levels)

    def __iter__(self) -> Iterator[Bijection]:
        for level in self.levels:
            assert isinstance(level, Bijection)
            yield level

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C·R, T/R), log|det| (B,) in nats."""
        parts: list[Tensor] = []
        log_det = x.new_zeros(x.shape[0])
        for index, level in enumerate(self):
            x, term = level(x, context)
            log_det = log_det + term
            x = self._leave(x, index, parts)
        return self._join(parts), log_det

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Take the parts apart again and run the levels backwards."""
        shapes = self._shapes(*input_shape(self, z.shape[1], z.shape[2]))
        sizes = [channels * steps // z.shape[2] for channels, steps in self._leaving(shapes)]
        parts = [
            unsqueeze(part, steps // z.shape[2])
            for part, (_, steps) in zip(torch.split(z, sizes, dim=1), self._leaving(shapes), strict=True)
        ]
        log_det = z.new_zeros(z.shape[0])
        x: Tensor | None = None
        for level, part in zip(reversed(list(self)), reversed(parts), strict=True):
            x, term = level.inverse(part if x is None else torch.cat((x, part), dim=1), context)
            log_det = log_det + term
        assert x is not None
        return x, log_det

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the shares of the levels added up at the lowest resolution (B, T/R)."""
        parts: list[Tensor] = []
        shares = []
        for index, level in enumerate(self):
            x, share = level.local(x, context)
            shares.append(share)
            x = self._leave(x, index, parts)
        y = self._join(parts)
        return y, torch.stack([at_resolution(share, y.shape[-1]) for share in shares]).sum(0)

    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Start each level on what goes on to it."""
        parts: list[Tensor] = []
        for index, level in enumerate(self):
            x = self._leave(level.initialize(x, context), index, parts)
        return self._join(parts)

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """(C·R, T/R); ValueError where a level cannot map its input."""
        steps = self._shapes(channels, length)[-1][1]
        return channels * length // steps, steps

    def _leave(self, x: Tensor, index: int, parts: list[Tensor]) -> Tensor:
        """Append to `parts` what leaves after level `index`, and return what goes on."""
        if index == len(self.levels) - 1:
            parts.append(x)
            return x
        on = _going_on(x.shape[1], index)
        parts.append(x[:, on:])
        return x[:, :on]

    def _join(self, parts: list[Tensor]) -> Tensor:
        steps = parts[-1].shape[-1]
        return torch.cat([squeeze(part, part.shape[-1] // steps) for part in parts], dim=1)

    def _shapes(self, channels: int, length: int) -> list[tuple[int, int]]:
        """Shape behind each level."""
        shapes = []
        for index, level in enumerate(self):
            before = length
            channels, length = level.output_shape(channels, length)
            if before % length:
                raise ValueError(f"level {index} takes {before} steps to {length}; it must divide them")
            shapes.append((channels, length))
            if index < len(self.levels) - 1:
                channels = _going_on(channels, index)
        return shapes

    def _leaving(self, shapes: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Shapes of the parts that leave, from the shapes behind the levels."""
        return [(channels // 2, steps) for channels, steps in shapes[:-1]] + shapes[-1:]


def _going_on(channels: int, index: int) -> int:
    if channels < 2:
        raise ValueError(f"level {index} leaves one channel, which cannot be halved: squeeze in it")
    return (channels + 1) // 2
