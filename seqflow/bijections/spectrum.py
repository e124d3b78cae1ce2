"""Layers between a cosine transform and its inverse: what else acts on steps acts on frequencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..ops.dct import dct2, dct3
from ..ops.shapes import full_precision, squeeze, unsqueeze
from .base import Bijection, Context
from .frames import by_frames, frames_of

# 2^10 times all primes up to 13 and some of them again.
_PROBE = (1 << 10) * 3**3 * 5**2 * 7 * 11 * 13

_Layers = Callable[[Bijection, Tensor, Context], tuple[Tensor, Tensor]]


class Spectrum(Bijection):
    """y = C⁻¹ f(C x) frame by frame, C the orthonormal DCT-II and f a chain of layers.

    log|det| is that of f, over all frames.

    With a `Squeeze` and couplings as f, every other frequency is scaled by a function of those around it: a
    symmetric convolution whose kernel comes from the other half of the spectrum. It follows lines, as voices
    and machines have them, which half of the steps shows only folded.

    (B, C, T) -> (B, C, T), any T. A short frame, at the end, is mapped by the same layers; what they cannot
    squeeze of it stays as it is.

    Args:
        chains: f; with `groups` one for each, which maps a single channel, otherwise one for the C channels
            together. They may move steps to channels, as a `Squeeze` does.
        frame: steps of a frame; None for one frame that spans the window.
        groups: numbers of neighbouring channels that were one channel before a squeeze, which add up to C:
            they become that one again, at its own rate. None for channels that stand for themselves.

    A condition goes to the layers; for the place in the recording they are told that in the spectrum.

    Raises ValueError where a size is not positive, or chains and groups differ in number.
    """

    def __init__(
        self, chains: Sequence[Bijection], frame: int | None = None, groups: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        if min([1 if frame is None else frame, *(groups or ())]) < 1:
            raise ValueError(f"sizes must be positive, got {frame}, {groups}")
        count = 1 if groups is None else len(groups)
        if len(chains) != count:
            raise ValueError(f"there are {len(chains)} chains of layers for {count} groups of channels")
        self.frame = frame
        self.groups = None if groups is None else list(groups)
        self.chains = nn.ModuleList(chains)
        self.reversible = all(chain.reversible for chain in chains)

    def __iter__(self) -> Iterator[Bijection]:
        for chain in self.chains:
            assert isinstance(chain, Bijection)
            yield chain

    def forward(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """(B, C, T) -> (B, C, T), log|det| (B,) in nats."""
        y, shares = self.local(x, context)
        return y, shares.sum(-1)

    def inverse(self, z: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """The layers backwards, between the same transforms."""
        x, shares = self._run(z, context, _backwards)
        return x, shares.sum(-1)

    def local(self, x: Tensor, context: Context | None = None) -> tuple[Tensor, Tensor]:
        """`forward` with the share of each step (B, T): its frame's, evenly."""
        return self._run(x, context, _forwards)

    @torch.no_grad()
    def initialize(self, x: Tensor, context: Context | None = None) -> Tensor:
        """Start the layers on the coefficients of the first frames, which are whole where any is."""
        for length, count in frames_of(x.shape[-1], self.frame, self._unit(x.shape[1]))[:1]:
            self._run(x[..., : length * count], context, _start)
        return self.forward(x, context)[0]

    def output_shape(self, channels: int, length: int) -> tuple[int, int]:
        """(C, T); ValueError where the layers cannot map the frames of such a window."""
        if self.groups is not None and sum(self.groups) != channels:
            raise ValueError(f"the groups {self.groups} do not share out {channels} channels")
        for steps, _ in frames_of(length, self.frame, self._unit(channels)):
            for chain, n in zip(self, self.groups or [1], strict=True):
                chain.output_shape(channels if self.groups is None else 1, n * steps)
        return channels, length

    def _run(self, x: Tensor, context: Context | None, run: _Layers) -> tuple[Tensor, Tensor]:
        def frames(x: Tensor, told: Context) -> tuple[Tensor, Tensor]:
            parts = [x] if self.groups is None else torch.split(x, self.groups, 1)
            found, total = [], x.new_zeros(len(x))
            for chain, n, part in zip(self, self.groups or [1], parts, strict=True):
                with full_precision(x.device.type):
                    coefficients = dct2(unsqueeze(part, n))
                channels = coefficients.shape[1]
                coefficients, log_det = run(chain, coefficients, told)
                with full_precision(x.device.type):
                    steps = dct3(unsqueeze(coefficients, coefficients.shape[1] // channels))
                found.append(squeeze(steps, n))
                total = total + log_det
            return torch.cat(found, 1), total

        return by_frames(x, self.frame, context, frames, self._unit(x.shape[1]))

    def _unit(self, channels: int) -> int:
        """What the steps of a frame must be a multiple of, for the layers of every group to squeeze them."""
        units = []
        for chain, n in zip(self, self.groups or [1], strict=True):
            # Highly divisible, so every squeeze passes.
            latent = chain.output_shape(channels if self.groups is None else 1, _PROBE)[1]
            factor = _PROBE // latent
            units.append(factor // math.gcd(factor, n))
        return math.lcm(*units)


def _forwards(chain: Bijection, coefficients: Tensor, told: Context) -> tuple[Tensor, Tensor]:
    mapped: tuple[Tensor, Tensor] = chain(coefficients, told)
    return mapped


def _backwards(chain: Bijection, coefficients: Tensor, told: Context) -> tuple[Tensor, Tensor]:
    """Of a chain whose output was joined to the channels of its input again."""
    channels, length = coefficients.shape[1:]
    inner = chain.output_shape(channels, length)[0]
    return chain.inverse(squeeze(coefficients, inner // channels), told)


def _start(chain: Bijection, coefficients: Tensor, told: Context) -> tuple[Tensor, Tensor]:
    return chain.initialize(coefficients, told), coefficients.new_zeros(len(coefficients))
