"""From a recipe to layers: one `match` for all kinds, and nothing that a recipe does not name.

C is the number of channels of the data; what a layer gets follows from the layers before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..bijections import (
    ActNorm,
    AffineCoupling,
    Bijection,
    CausalConv,
    Chain,
    ChannelMix,
    CircularConv,
    ConvCoupling,
    Dequantize,
    Gate,
    LevelPyramid,
    MultichannelConv,
    MultiScale,
    Radial,
    SpectralPyramid,
    Spectrum,
    SplineCoupling,
    Squeeze,
    Standardize,
    SymmetricConv,
    Whitening,
    coupling_sizes,
)
from ..bijections.level_pyramid import halvings_of
from ..bijections.spectral_pyramid import WAVES
from ..errors import RecipeError
from ..recipe.layers import (
    ActNormConfig,
    AffineCouplingConfig,
    CausalConvConfig,
    ChannelMixConfig,
    CircularConvConfig,
    ConvCouplingConfig,
    DequantizeConfig,
    GateConfig,
    LayerConfig,
    LevelPyramidConfig,
    MultichannelConvConfig,
    MultiScaleConfig,
    RadialConfig,
    RepeatConfig,
    SpectralPyramidConfig,
    SpectrumConfig,
    SplineCouplingConfig,
    SqueezeConfig,
    StandardizeConfig,
    SymmetricConvConfig,
    WhiteningConfig,
)
from .conditioner import build_conditioner


def build_bijection(
    layers: Sequence[LayerConfig],
    channels: int,
    *,
    window: int,
    autocast: torch.dtype | None = None,
    condition_size: int = 0,
    clock: int = 0,
    recompute: float | None = None,
) -> tuple[Bijection, int]:
    """The chain of layers for C channels, and the number of channels behind it.

    `window` is the length of training windows, samples; `autocast` the dtype that conditioner networks
    compute in, None for that of the data; `condition_size` the width K of the context's `condition`, 0 for
    none; `clock` the harmonics that tell the place; `recompute` that of the chains. Raises RecipeError naming
    the layer that does not fit.
    """
    return _Builder(window, autocast, condition_size, clock, recompute).chain(
        layers, channels, "model.layers"
    )


class _Builder:
    """Goes through the layers once, in order; knows the steps of a window there, and which half is next."""

    def __init__(
        self,
        window: int,
        autocast: torch.dtype | None,
        condition_size: int,
        clock: int,
        recompute: float | None,
    ) -> None:
        self.length = window
        self.autocast = autocast
        self.condition_size = condition_size
        self.clock = clock
        self.recompute = recompute
        self.next_swap = False

    def chain(self, layers: Sequence[LayerConfig], channels: int, path: str) -> tuple[Chain, int]:
        built: list[Bijection] = []
        for index, layer in enumerate(layers):
            here = f"{path}.{index}"
            if isinstance(layer, RepeatConfig):
                for _ in range(layer.times):
                    inner, channels = self.chain(layer.layers, channels, f"{here}.layers")
                    built += inner
                continue
            try:
                bijection, channels = self.layer(layer, channels, here)
            except ValueError as error:
                raise RecipeError([f"{here}: {layer.kind}: {error}"]) from None
            built.append(bijection)
        return Chain(built, recompute=self.recompute), channels

    def layer(self, config: LayerConfig, channels: int, path: str) -> tuple[Bijection, int]:
        match config:
            case DequantizeConfig():
                return Dequantize(config.step, config.seed), channels
            case StandardizeConfig():
                return Standardize(channels), channels
            case WhiteningConfig():
                return self.whitening(config, channels), channels
            case CircularConvConfig():
                return CircularConv(channels, config.taps, config.budget), channels
            case SymmetricConvConfig():
                return SymmetricConv(channels, config.taps, config.boundary, config.budget), channels
            case CausalConvConfig():
                return CausalConv(channels, config.taps, config.budget), channels
            case MultichannelConvConfig():
                return MultichannelConv(channels, config.taps, config.budget), channels
            case ConvCouplingConfig() | AffineCouplingConfig() | SplineCouplingConfig():
                return self.coupling(config, channels), channels
            case GateConfig():
                gate = Gate(
                    channels, config.curve, knots=config.knots, bound=config.bound, strength=config.strength
                )
                return gate, channels
            case ActNormConfig():
                return ActNorm(channels), channels
            case ChannelMixConfig():
                # It starts by putting the channels in reverse order: the halves change places.
                self.next_swap = not self.next_swap
                return ChannelMix(channels), channels
            case RadialConfig():
                radial = Radial(channels, config.softening, config.floor, config.over, config.trainable)
                return radial, channels
            case LevelPyramidConfig():
                return self.level_pyramid(config, channels), channels
            case SpectralPyramidConfig():
                return self.spectral_pyramid(config, channels), channels
            case SpectrumConfig():
                return self.spectrum(config, channels, path), channels
            case SqueezeConfig():
                self.length //= config.factor
                return Squeeze(config.factor), channels * config.factor
            case MultiScaleConfig():
                return self.multi_scale(config, channels, path)
            case RepeatConfig():
                return self.chain((config,), channels, path)

    def whitening(self, config: WhiteningConfig, channels: int) -> Whitening:
        return Whitening(
            channels,
            config.taps,
            boundary=config.boundary,
            estimate=config.estimate,
            trainable=config.trainable,
            floor_db=config.floor_db,
        )

    def level_pyramid(self, config: LevelPyramidConfig, channels: int) -> LevelPyramid:
        return LevelPyramid(
            channels,
            config.block,
            halvings=max(1, halvings_of(self.length, config.block or self.length or 1)),
            groups=config.groups,
            hidden=config.hidden,
            knots=config.knots,
            strength=config.strength,
            condition_size=self.condition_size,
            clock=self.clock,
        )

    def spectral_pyramid(self, config: SpectralPyramidConfig, channels: int) -> SpectralPyramid:
        return SpectralPyramid(
            channels,
            config.bands,
            frame=config.frame,
            groups=config.groups,
            hidden=config.hidden,
            knots=config.knots,
            strength=config.strength,
            condition_size=self.condition_size,
        )

    def spectrum(self, config: SpectrumConfig, channels: int, path: str) -> Spectrum:
        if config.groups is not None and sum(config.groups) != channels:
            raise ValueError(f"the groups {list(config.groups)} do not share out {channels} channels")
        length, clock = self.length, self.clock
        # What the layers are told of the place is that in the spectrum.
        self.clock = WAVES
        chains = []
        for size in config.groups or (1,):
            self.length = (config.frame or length) * size
            width = channels if config.groups is None else 1
            chains.append(self.chain(config.layers, width, f"{path}.layers")[0])
        self.length, self.clock = length, clock
        return Spectrum(chains, config.frame, config.groups)

    def coupling(
        self, config: ConvCouplingConfig | AffineCouplingConfig | SplineCouplingConfig, channels: int
    ) -> Bijection:
        swap = self.next_swap if config.swap == "alternate" else config.swap
        self.next_swap = not swap
        untouched, _ = coupling_sizes(channels, swap)

        def conditioner(counts: tuple[int, int]) -> nn.Module:
            return build_conditioner(
                config.conditioner, untouched, counts, self.autocast, self.condition_size, self.clock
            )

        match config:
            case AffineCouplingConfig():
                counts = AffineCoupling.parameter_counts(channels, swap=swap)
                return AffineCoupling(
                    channels, conditioner(counts), swap=swap, max_log_scale=config.max_log_scale
                )
            case SplineCouplingConfig():
                counts = SplineCoupling.parameter_counts(channels, swap=swap, bins=config.bins)
                return SplineCoupling(
                    channels, conditioner(counts), swap=swap, bins=config.bins, bound=config.bound
                )
            case ConvCouplingConfig():
                counts = ConvCoupling.parameter_counts(
                    channels,
                    swap=swap,
                    taps=config.taps,
                    boundary=config.boundary,
                    conv=config.conv,
                    local_taps=config.local_taps,
                    scale_shift=config.scale_shift,
                    gate=config.gate,
                    gate_per=config.gate_per,
                    gate_knots=config.gate_knots,
                )
                return ConvCoupling(
                    channels,
                    conditioner(counts),
                    swap=swap,
                    taps=config.taps,
                    boundary=config.boundary,
                    order=config.order,
                    conv=config.conv,
                    local_taps=config.local_taps,
                    local_budget=config.local_budget,
                    scale_shift=config.scale_shift,
                    gate=config.gate,
                    gate_per=config.gate_per,
                    max_log_scale=config.max_log_scale,
                    budget=config.budget,
                    gate_knots=config.gate_knots,
                    gate_bound=config.gate_bound,
                    gate_strength=config.gate_strength,
                )

    def multi_scale(self, config: MultiScaleConfig, channels: int, path: str) -> tuple[Bijection, int]:
        levels: list[Bijection] = []
        on, factor = channels, 1
        for index, layers in enumerate(config.levels):
            level, behind = self.chain(layers, on, f"{path}.levels.{index}")
            levels.append(level)
            factor *= behind // on
            if index < len(config.levels) - 1 and behind < 2:
                raise ValueError(f"level {index} leaves one channel, which cannot be halved: squeeze in it")
            on = (behind + 1) // 2
        return MultiScale(levels), channels * factor
