"""Bijections one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from .base import Bijection, Context
from .resolution import at_resolution


class Chain(Bijection):
    """y = f_n(... f_2(f_1(x))): log-determinants add up. An empty chain is the identity.

    (B, C, T) -> (B, C', T') as the layers make it.
    """

    def __init__(self, layers: Sequence[Bijection]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Bijection]:
        for layer in self.layers:
            assert isinstance(layer, Bijection)
            yield layer

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map data to noise through the layers in order; log|det| (B,) in nats."""
        log_det = x.new_zeros(x.shape[0])
        for layer in self:
            x, term = layer(x, context)
            log_det = log_det + term
        return x, log_det

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map noise to data through the layers in reverse order."""
        log_det = z.new_zeros(z.shape[0])
        for layer in reversed(list(self)):
            z, term = layer.inverse(z, context)
            log_det = log_det + term
        return z, log_det

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the shares of the layers added up at the time resolution of the output (B, T')."""
        share = x.new_zeros(x.shape[0], x.shape[-1])
        for layer in self:
            x, term = layer.local(x, context)
            share = at_resolution(share, x.shape[-1]) + term
        return x, share

    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Start each layer on what the layers before it, already started, make of the windows."""
        for layer in self:
            x = layer.initialize(x, context)
        return x

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """Shape (C', T') behind the last layer; ValueError where a layer cannot map its input."""
        for layer in self:
            channels, length = layer.output_shape(channels, length)
        return channels, length
