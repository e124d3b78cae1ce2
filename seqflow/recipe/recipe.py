"""The recipe: one frozen value that says everything about a model, its data and its training."""

from __future__ import annotations

from pydantic import Field, model_validator

from .base import Config, refuse
from .checks import between_parts
from .data import DataConfig
from .model import ModelConfig
from .run import SampleConfig, ScoreConfig, TrainConfig


class Recipe(Config):
    """Everything that makes a model: with the same data and seed it gives the same weights."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$",
        max_length=200,
        description="Name, as folder/name: letters, digits, and _ . - inside.",
    )
    description: str = Field("", description="What it models, in a sentence.")
    seed: int = Field(0, ge=0, lt=1 << 63, description="Seed of weights, order of windows and augmentation.")
    data: DataConfig = Field(description="Which recordings, and how they are cut.")
    model: ModelConfig = Field(description="Layers from data to noise, and the density of the noise.")
    train: TrainConfig = Field(default_factory=TrainConfig, description="Optimisation.")
    score: ScoreConfig = Field(default_factory=ScoreConfig, description="Anomaly scores.")
    sample: SampleConfig = Field(default_factory=SampleConfig, description="Sequences drawn from the model.")

    @model_validator(mode="after")
    def _between_parts(self) -> Recipe:
        refuse(between_parts(self.data, self.model, self.score, self.sample))
        return self
