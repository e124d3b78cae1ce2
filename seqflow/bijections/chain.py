"""Bijections one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from .base import Bijection, Context
from .recompute import recompute
from .resolution import at_resolution


class Chain(Bijection):
    """y = f_n(... f_2(f_1(x))): log-determinants add up. An empty chain is the identity.

    (B, C, T) -> (B, C', T') as the layers make it.

    Args:
        layers: f_1 to f_n.
        recompute: None keeps the activations of a training step for its gradients. A number has those of
            reversible layers recomputed through the inverse instead, in memory that does not grow with
            depth; it is the tolerance of `recompute`, relative to the signal.
    """

    def __init__(self, layers: Sequence[Bijection], *, recompute: float | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.recompute = recompute
        self.reversible = all(layer.reversible for layer in layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Bijection]:
        for layer in self.layers:
            assert isinstance(layer, Bijection)
            yield layer

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """Map data to noise through the layers in order; log|det| (B,) in nats."""
        if self.recompute is not None and self._in_training(x):
            return recompute(list(self), x, context, shares=False, tolerance=self.recompute)
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
        if self.recompute is not None and self._in_training(x):
            return recompute(list(self), x, context, shares=True, tolerance=self.recompute)
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

    def _in_training(self, x: Tensor) -> bool:
        """Whether gradients will be asked for."""
        if not (self.training and torch.is_grad_enabled()):
            return False
        return x.requires_grad or any(parameter.requires_grad for parameter in self.parameters())
