"""The recipe: one frozen value that says everything about a model, its data and its training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

from .base import Config, Problem, refuse
from .data import AudioData, DataConfig, SeriesData, SyntheticData
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
        refuse(
            between_parts(
                {"data": self.data, "model": self.model, "score": self.score, "sample": self.sample}
            )
        )
        return self


def between_parts(parts: dict[str, Any]) -> Iterator[Problem]:
    """Faults between the parts of a recipe, of those parts that are given: each key's path and what is wrong."""
    data, model = parts.get("data"), parts.get("model")
    score, sample = parts.get("score"), parts.get("sample")
    if isinstance(model, ModelConfig) and isinstance(data, AudioData | SeriesData | SyntheticData):
        yield from _window(data.window, model)
    if isinstance(data, AudioData | SeriesData | SyntheticData):
        if isinstance(score, ScoreConfig) and score.hop is not None and score.hop > data.window:
            yield (
                ("score", "hop"),
                f"is longer than the window of {data.window}: samples in between would be lost",
            )
    if isinstance(model, ModelConfig) and isinstance(sample, SampleConfig):
        factor = model.divisor
        if sample.length is not None and sample.length % factor:
            yield ("sample", "length"), f"must be a multiple of {factor}, the product of the squeeze factors"


def _window(window: int, model: ModelConfig) -> Iterator[Problem]:
    factor = model.divisor
    if window % factor:
        below, above = window // factor * factor, -(-window // factor) * factor
        nearest = f"{below} or {above}" if below else f"{above}"
        yield (
            ("data", "window"),
            f"must be a multiple of {factor}, the product of the squeeze factors; nearest {nearest}",
        )
