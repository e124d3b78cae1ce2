"""The kinds of layers that a model is made of. Units: samples, nats (nepers for gains), units of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Config, Problem, refuse

Taps = Annotated[int, Field(ge=1, le=1 << 16)]
Budget = Annotated[float, Field(gt=0.0, le=8.0)]
LogScale = Annotated[float, Field(gt=0.0, le=10.0)]
Odd = Annotated[int, Field(ge=1, le=4097)]
GateName = Literal["piecewise", "slog", "asinh", "sqrt", "boxcox", "cauchy", "l2"]

_TAPS = "Number of cepstral coefficients: the spectral resolution of the filter."
_BUDGET = "Largest gain or loss at any frequency, nepers: bounds the round-trip error."
_SWAP = (
    "Transform the first half of the channels in place of the second. alternate: the half that the coupling "
    "before left alone, channel mixes counted in."
)
_KNOTS = "Knots of a piecewise curve."
_BOUND = "Place of the outermost knots, standardised units."
_STRENGTH = "Largest log slope of a piecewise curve; largest rate of the others."


class ConvConditionerConfig(Config):
    """Dilated convolutions that turn one half of the channels into parameters for the other."""

    kind: Literal["conv"] = "conv"
    hidden: int = Field(48, ge=1, le=4096, description="Width.")
    layers: int = Field(3, ge=0, le=64, description="Residual blocks.")
    kernel: Odd = Field(5, description="Length of the dilated convolutions, samples; odd.")
    growth: int = Field(2, ge=1, le=8, description="Factor from the dilation of one block to the next.")
    skip_kernel: int = Field(
        17, ge=0, le=4097, description="Length of the linear skip, samples; odd. 0: no skip."
    )
    level_scales: Annotated[tuple[Odd, ...], Field(strict=False)] = Field(
        (1, 9, 65), description="Lengths of the moving averages of the level, samples; odd. []: no level."
    )
    normalized: bool = Field(
        False,
        description="Show the network the signal divided by its level at the middle scale as well: quiet "
        "stretches have a shape too.",
    )
    gated: bool = Field(
        True, description="Gate the residual blocks by a sigmoid. false: about half the work."
    )
    cepstrum: int = Field(
        0,
        ge=0,
        le=1 << 16,
        description="Lags of the cepstrum of the untouched half that kernels of the whole window are told; "
        "as many as the kernel has taps, or more. 0: none.",
    )

    @model_validator(mode="after")
    def _between_keys(self) -> ConvConditionerConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.kernel % 2 == 0:
            yield ("kernel",), f"must be odd; nearest {self.kernel + 1}"
        if self.skip_kernel and self.skip_kernel % 2 == 0:
            yield ("skip_kernel",), f"must be odd, or 0 for none; nearest {self.skip_kernel + 1}"
        if self.normalized and not self.level_scales:
            yield ("normalized",), "needs a level to divide by: give level_scales"
        for index, scale in enumerate(self.level_scales):
            if scale % 2 == 0:
                yield ("level_scales", index), f"must be odd; nearest {scale + 1}"


ConditionerConfig = ConvConditionerConfig


class DequantizeConfig(Config):
    """Uniform noise of one quantisation step, the same at the same place of a recording."""

    kind: Literal["dequantize"]
    step: float | None = Field(
        None, ge=0.0, description="Quantisation step in the units of the data. null: that of every recording."
    )
    seed: int = Field(0, ge=0, lt=1 << 31, description="Seed of the noise.")


class StandardizeConfig(Config):
    """Mean and scale per channel, set from the training data."""

    kind: Literal["standardize"]


class WhiteningConfig(Config):
    """One filter per channel that flattens the mean spectrum of the training data."""

    kind: Literal["whitening"]
    taps: Taps | None = Field(64, description=_TAPS + " null: as many as a window determines.")
    boundary: Literal["symmetric", "circular", "causal"] = Field(
        "symmetric", description="How a window goes on beyond its ends: mirrored, repeated, or zero before."
    )
    estimate: Literal["mean_log", "log_mean"] = Field(
        "mean_log", description="Spectrum from the mean of the log power, or the log of the mean power."
    )
    trainable: bool = Field(True, description="Train the filter on from its start in closed form.")
    floor_db: float = Field(
        100.0, gt=0.0, le=300.0, description="Power this far below the strongest bin counts as that, dB."
    )


class CircularConvConfig(Config):
    """Learned filter per channel; a window wraps around."""

    kind: Literal["circular_conv"]
    taps: Taps = Field(16, description=_TAPS)
    budget: Budget = Field(0.25, description=_BUDGET)


class SymmetricConvConfig(Config):
    """Learned zero-phase filter per channel; a window is mirrored at its ends."""

    kind: Literal["symmetric_conv"]
    taps: Taps = Field(16, description=_TAPS)
    boundary: Literal["half", "whole"] = Field(
        "half", description="Mirror between samples (the end sample counts twice) or at a sample."
    )
    budget: Budget = Field(0.25, description=_BUDGET)


class CausalConvConfig(Config):
    """Learned filter per channel that looks only back; zero before the window."""

    kind: Literal["causal_conv"]
    taps: Taps = Field(16, description=_TAPS)
    budget: Budget = Field(0.25, description=_BUDGET)


class MultichannelConvConfig(Config):
    """Learned filter between all channels; a window wraps around."""

    kind: Literal["multichannel_conv"]
    taps: Taps = Field(8, description=_TAPS)
    budget: Budget = Field(0.25, description=_BUDGET)


class _Coupling(Config):
    swap: bool | Literal["alternate"] = Field("alternate", description=_SWAP)
    conditioner: ConditionerConfig = Field(
        default_factory=ConvConditionerConfig, description="Network from the one half to the parameters."
    )


class ConvCouplingConfig(_Coupling):
    """One half's filter, scale and shift, and gate as functions of the other half (CONF)."""

    kind: Literal["conv_coupling"]
    taps: Taps = Field(8, description=_TAPS)
    boundary: Literal["circular", "symmetric", "whole", "causal"] = Field(
        "circular",
        description="How a window goes on beyond its ends: repeated, mirrored between samples, mirrored at a "
        "sample, or zero before.",
    )
    order: Annotated[tuple[Literal["conv", "scale_shift", "gate"], ...], Field(strict=False)] = Field(
        ("conv", "scale_shift", "gate"), description="Order of the three steps."
    )
    conv: bool = Field(True, description="Filter per window.")
    local_taps: int = Field(
        0,
        ge=0,
        le=256,
        description="Coefficients of a filter that looks back and changes from sample to sample, behind that "
        "of the window. 0: none.",
    )
    local_budget: Budget = Field(
        3.0, description="Largest gain of the inverse of the filter per sample, nepers."
    )
    scale_shift: bool = Field(True, description="Scale and shift per sample.")
    gate: GateName | None = Field(None, description="Family of point-wise curves. null: none.")
    gate_per: Literal["step", "window"] = Field(
        "step", description="A curve for every sample, or one per window."
    )
    gate_knots: int = Field(9, ge=2, le=257, description=_KNOTS)
    gate_bound: float = Field(4.0, gt=0.0, le=1e6, description=_BOUND)
    gate_strength: float = Field(2.0, gt=0.0, le=10.0, description=_STRENGTH)
    max_log_scale: LogScale = Field(2.0, description="Largest absolute log scale, nepers.")
    budget: Budget = Field(1.0, description=_BUDGET)

    @model_validator(mode="after")
    def _between_keys(self) -> ConvCouplingConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if sorted(self.order) != ["conv", "gate", "scale_shift"]:
            yield ("order",), "must hold conv, scale_shift and gate once each"
        if not (self.conv or self.local_taps or self.scale_shift or self.gate):
            yield ("conv",), "with scale_shift and gate off the coupling does nothing: turn one on"


class AffineCouplingConfig(_Coupling):
    """Scale and shift of one half per sample as functions of the other half."""

    kind: Literal["affine_coupling"]
    max_log_scale: LogScale = Field(2.0, description="Largest absolute log scale, nepers.")


class SplineCouplingConfig(_Coupling):
    """Rational-quadratic spline of one half per sample as a function of the other half."""

    kind: Literal["spline_coupling"]
    bins: int = Field(8, ge=2, le=128, description="Pieces of the spline.")
    bound: float = Field(
        4.0, gt=0.0, le=1e6, description="Beyond this value, in standardised units, the identity."
    )


class GateConfig(Config):
    """Learned point-wise curve per channel."""

    kind: Literal["gate"]
    curve: GateName = Field(
        "piecewise", description="Family of curves. piecewise has linear tails and is stable in deep stacks."
    )
    knots: int = Field(9, ge=2, le=257, description=_KNOTS)
    bound: float = Field(4.0, gt=0.0, le=1e6, description=_BOUND)
    strength: float = Field(2.0, gt=0.0, le=10.0, description=_STRENGTH)


class ActNormConfig(Config):
    """Scale and shift per channel, set from the first batch, then learned."""

    kind: Literal["actnorm"]


class ChannelMixConfig(Config):
    """Learned linear map between channels, the same at every time."""

    kind: Literal["channel_mix"]


class SqueezeConfig(Config):
    """Every `factor` samples in a row become channels."""

    kind: Literal["squeeze"]
    factor: int = Field(2, ge=2, le=256, description="Samples in a row that become channels.")


class RadialConfig(Config):
    """The amplitude of a window softened, its level and its shape left as they are."""

    kind: Literal["radial"]
    softening: float = Field(
        0.4,
        ge=-0.9,
        le=0.9,
        description="Power of the amplitude that is taken out, at the start. 0: none; below 0: it grows.",
    )
    floor: float = Field(
        0.1,
        gt=0.0,
        le=1e6,
        description="Amplitude, rms, up to which windows stay as they are, about; standardised units.",
    )
    over: Literal["channel", "window"] = Field(
        "channel", description="What has an amplitude: every channel, or all of them together."
    )
    trainable: bool = Field(True, description="Train power and floor on from their start.")


Frame = Annotated[int, Field(ge=1, le=1 << 20)] | None
Groups = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)] | None


class _Pyramid(Config):
    groups: Groups = Field(
        None,
        description="Numbers of neighbouring channels that share their levels, as those a squeeze made of "
        "one; they add up to the channels at this layer. null: every channel has levels of its own.",
    )
    hidden: int = Field(16, ge=1, le=4096, description="Width of the network over the levels.")
    knots: int = Field(9, ge=2, le=64, description=_KNOTS)
    strength: float = Field(1.0, gt=0.0, le=10.0, description="Largest log slope of the curve of a level.")


class LevelPyramidConfig(_Pyramid):
    """The levels of blocks as variables of their own, coarse to fine: meant as the last layer."""

    kind: Literal["level_pyramid"]
    block: int | None = Field(
        None, ge=1, le=1 << 20, description="Steps of a block at this layer. null: one block, the window."
    )


class SpectralPyramidConfig(_Pyramid):
    """The levels of a window's frequency bands as variables of their own: meant before level_pyramid."""

    kind: Literal["spectral_pyramid"]
    bands: int = Field(
        32, ge=1, le=1 << 16, description="Bands up to half the rate of the steps, whatever the frame."
    )
    frame: Frame = Field(None, description="Steps that have levels of their own. null: the window.")


class MultiScaleConfig(Config):
    """Levels of layers; after each but the last, half of the channels are done."""

    kind: Literal["multi_scale"]
    levels: Annotated[tuple[Layers, ...], Field(strict=False, min_length=1, max_length=12)] = Field(
        description="The layers of every level, one list a level."
    )


class RepeatConfig(Config):
    """The same layers several times over, each time with parameters of their own."""

    kind: Literal["repeat"]
    times: int = Field(ge=1, le=256, description="How often.")
    layers: Layers = Field(description="What is repeated.")


class SpectrumConfig(Config):
    """Layers that act on frequencies instead of steps, between a cosine transform and its inverse."""

    kind: Literal["spectrum"]
    frame: Frame = Field(None, description="Steps that are transformed together. null: the window.")
    groups: Groups = Field(
        None,
        description="Numbers of neighbouring channels that are transformed as one, as those a squeeze made "
        "of one; they add up to the channels at this layer, and each has layers of its own. null: every "
        "channel is transformed by itself, and the layers see all of them.",
    )
    layers: Layers = Field(description="What acts on the coefficients.")


LayerConfig = Annotated[
    DequantizeConfig
    | StandardizeConfig
    | WhiteningConfig
    | CircularConvConfig
    | SymmetricConvConfig
    | CausalConvConfig
    | MultichannelConvConfig
    | ConvCouplingConfig
    | AffineCouplingConfig
    | SplineCouplingConfig
    | GateConfig
    | ActNormConfig
    | RadialConfig
    | LevelPyramidConfig
    | SpectralPyramidConfig
    | SpectrumConfig
    | ChannelMixConfig
    | SqueezeConfig
    | MultiScaleConfig
    | RepeatConfig,
    Field(discriminator="kind"),
]
Layers = Annotated[tuple[LayerConfig, ...], Field(strict=False, min_length=1, max_length=256)]

# Their fields name layers, which are all known only here.
MultiScaleConfig.model_rebuild()
RepeatConfig.model_rebuild()
SpectrumConfig.model_rebuild()
