"""Recipes: typed, frozen descriptions of a model, its data and its training. Imports no torch.

`load` reads a file or a shipped recipe, `parse` a text; both take overrides and report all faults at once.
"""

from .base import Config
from .data import (
    AudioData,
    AugmentConfig,
    CommonData,
    ConditionConfig,
    DataConfig,
    FileData,
    SeriesData,
    SplitConfig,
    SyntheticData,
)
from .layers import (
    ActNormConfig,
    AffineCouplingConfig,
    CausalConvConfig,
    ChannelMixConfig,
    CircularConvConfig,
    ConditionerConfig,
    ConvConditionerConfig,
    ConvCouplingConfig,
    DequantizeConfig,
    GateConfig,
    LayerConfig,
    MultichannelConvConfig,
    MultiScaleConfig,
    RadialConfig,
    RepeatConfig,
    SplineCouplingConfig,
    SqueezeConfig,
    StandardizeConfig,
    SymmetricConvConfig,
    WhiteningConfig,
)
from .load import load, parse, read
from .model import (
    BaseConfig,
    LaplaceConfig,
    MixtureConfig,
    ModelConfig,
    NormalConfig,
    StudentTConfig,
    WindowMixtureConfig,
)
from .recipe import Recipe
from .reference import reference
from .run import DrawsConfig, SampleConfig, ScoreConfig, TrainConfig
from .shelf import Shelved, copy, shelf
from .shipped import find, names
from .summary import missing, summary
from .write import dump, schema

__all__ = [
    "ActNormConfig",
    "AffineCouplingConfig",
    "AudioData",
    "AugmentConfig",
    "BaseConfig",
    "CausalConvConfig",
    "ChannelMixConfig",
    "CircularConvConfig",
    "CommonData",
    "ConditionConfig",
    "ConditionerConfig",
    "Config",
    "ConvConditionerConfig",
    "ConvCouplingConfig",
    "DataConfig",
    "DequantizeConfig",
    "DrawsConfig",
    "FileData",
    "GateConfig",
    "LaplaceConfig",
    "LayerConfig",
    "MixtureConfig",
    "ModelConfig",
    "MultiScaleConfig",
    "MultichannelConvConfig",
    "NormalConfig",
    "RadialConfig",
    "Recipe",
    "RepeatConfig",
    "SampleConfig",
    "ScoreConfig",
    "SeriesData",
    "Shelved",
    "SplineCouplingConfig",
    "SplitConfig",
    "SqueezeConfig",
    "StandardizeConfig",
    "StudentTConfig",
    "SymmetricConvConfig",
    "SyntheticData",
    "TrainConfig",
    "WhiteningConfig",
    "WindowMixtureConfig",
    "copy",
    "dump",
    "find",
    "load",
    "missing",
    "names",
    "parse",
    "read",
    "reference",
    "schema",
    "shelf",
    "summary",
]
