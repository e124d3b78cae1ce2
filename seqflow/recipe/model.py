"""The `model` part of a recipe: layers from data to noise, and the density of the noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Config, Problem, refuse
from .layers import (
    AffineCouplingConfig,
    ConvCouplingConfig,
    LayerConfig,
    Layers,
    MultiScaleConfig,
    RepeatConfig,
    SplineCouplingConfig,
    SqueezeConfig,
)

MOST_LAYERS = 1024
LARGEST_DIVISOR = 1 << 20


class NormalConfig(Config):
    """Standard normal noise."""

    kind: Literal["normal"]
    learn_scale: bool = Field(False, description="Learn a scale per channel.")


class LaplaceConfig(Config):
    """Laplace noise with a learned scale per channel."""

    kind: Literal["laplace"]


class StudentTConfig(Config):
    """Student's t noise with learned degrees of freedom and scale per channel: heavy tails."""

    kind: Literal["student_t"]
    freedom: float = Field(8.0, gt=2.0, le=1000.0, description="Degrees of freedom at the start.")


class MixtureConfig(Config):
    """Mixture of normals of different scale per channel: quiet and loud parts."""

    kind: Literal["mixture"]
    components: int = Field(4, ge=1, le=256, description="Number of normals.")
    spread: float = Field(2.0, ge=0.0, le=20.0, description="Range of their log scales at the start, nepers.")


class WindowMixtureConfig(Config):
    """Mixture over whole windows: the shapes that they take, with noise of one spectrum about them all."""

    kind: Literal["window_mixture"]
    components: int = Field(64, ge=1, le=4096, description="Number of shapes.")
    freedom: float | None = Field(
        None,
        gt=2.0,
        le=1000.0,
        description="Degrees of freedom at the start of noise with heavy tails, Student's t; slower. null: "
        "Gaussian noise.",
    )
    examples: int = Field(
        6_000, ge=1, le=1 << 20, description="Windows that it is fitted to before training, at most."
    )


BaseConfig = Annotated[
    NormalConfig | LaplaceConfig | StudentTConfig | MixtureConfig | WindowMixtureConfig,
    Field(discriminator="kind"),
]


class ModelConfig(Config):
    """Invertible layers from data to noise, and the density of the noise."""

    layers: Layers = Field(description="Layers, in order from data to noise.")
    base: BaseConfig = Field(
        default_factory=lambda: NormalConfig(kind="normal"), description="Density of the noise."
    )
    condition: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="Conditions that the couplings know of, by their names in data.conditions."
    )

    clock: int = Field(
        0,
        ge=0,
        le=64,
        description="Tell the networks where in its recording a window lies, by so many harmonics. For "
        "sounds that begin and end, such as words. 0: not told.",
    )

    @property
    def divisor(self) -> int:
        """Every window length must be a multiple of this: the product of the squeeze factors."""
        return divisor(self.layers)

    @model_validator(mode="after")
    def _size(self) -> ModelConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        # Nested repeats grow like a power: count before anything is unrolled or multiplied out.
        for index, name in enumerate(self.condition):
            if name in self.condition[:index]:
                yield ("condition", index), "is there twice"
        if self.condition and not has_coupling(self.layers):
            yield ("condition",), "needs a coupling among the layers: no other layer takes conditions"
        if (count := layer_count(self.layers)) > MOST_LAYERS:
            yield ("layers",), f"unroll to {count:.3g} layers; the most is {MOST_LAYERS}"
        elif self.divisor > LARGEST_DIVISOR:
            yield ("layers",), f"squeeze by more than {LARGEST_DIVISOR} in all, the longest window"


def divisor(layers: Sequence[LayerConfig]) -> int:
    """Product of the squeeze factors of a chain of layers."""
    product = 1
    for layer in layers:
        match layer:
            case SqueezeConfig():
                product *= layer.factor
            case RepeatConfig():
                product *= divisor(layer.layers) ** layer.times
            case MultiScaleConfig():
                for level in layer.levels:
                    product *= divisor(level)
            case _:
                pass
    return product


def has_coupling(layers: Sequence[LayerConfig]) -> bool:
    """Whether a coupling is among the layers, at any depth."""
    for layer in layers:
        match layer:
            case RepeatConfig():
                found = has_coupling(layer.layers)
            case MultiScaleConfig():
                found = any(map(has_coupling, layer.levels))
            case _:
                found = isinstance(layer, ConvCouplingConfig | AffineCouplingConfig | SplineCouplingConfig)
        if found:
            return True
    return False


def layer_count(layers: Sequence[LayerConfig]) -> float:
    """Layers there are once every repeat is unrolled; a float, since it may be out of all proportion."""
    count = 0.0
    for layer in layers:
        match layer:
            case RepeatConfig():
                count += layer.times * layer_count(layer.layers)
            case MultiScaleConfig():
                count += sum(layer_count(level) for level in layer.levels)
            case _:
                count += 1.0
    return count
