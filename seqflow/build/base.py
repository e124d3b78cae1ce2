"""From a recipe to the density of the noise."""

from __future__ import annotations

from ..distributions import Base, Laplace, Mixture, Normal, StudentT, WindowMixture
from ..recipe.model import (
    BaseConfig,
    LaplaceConfig,
    MixtureConfig,
    NormalConfig,
    StudentTConfig,
    WindowMixtureConfig,
)


def build_base(config: BaseConfig, channels: int, *, window: int, factor: int) -> Base:
    """The density of the noise of windows of `window` samples, of which `factor` became channels."""
    match config:
        case NormalConfig():
            return Normal(channels, learn_scale=config.learn_scale)
        case LaplaceConfig():
            return Laplace(channels)
        case StudentTConfig():
            return StudentT(channels, freedom=config.freedom)
        case MixtureConfig():
            return Mixture(channels, components=config.components, spread=config.spread)
        case WindowMixtureConfig():
            return WindowMixture(
                channels,
                window,
                config.components,
                factor=factor,
                examples=config.examples,
                freedom=config.freedom,
            )
