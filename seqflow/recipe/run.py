"""The parts of a recipe that say how to run the model: `train`, `score` and `sample`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Config, Fraction, Problem, refuse


class DrawsConfig(Config):
    """Windows drawn in the last part of a training, so that draws are as loud, band by band, as the data."""

    share: Fraction = Field(0.2, description="Part of the training that draws, at its end.")
    every: int = Field(4, ge=1, description="Steps from one with draws to the next.")
    windows: int = Field(32, ge=2, le=1 << 16, description="Windows drawn in such a step.")
    weight: float = Field(
        30.0, gt=0.0, le=1e6, description="What a unit of the energy distance counts, nats a window."
    )


class TrainConfig(Config):
    """Optimisation by AdamW, with warm-up and a cosine decay of the learning rate."""

    steps: int = Field(2000, ge=1, le=100_000_000, description="Optimiser steps.")
    batch: int = Field(32, ge=1, le=1 << 20, description="Windows per step.")
    micro_batch: int | None = Field(
        None, ge=1, description="Windows per pass; gradients add up to a batch. Divides batch. null: batch."
    )
    lr: float = Field(1e-3, gt=0.0, le=1.0, description="Highest learning rate.")
    warmup: int = Field(100, ge=0, description="Steps over which the learning rate rises from 0.")
    min_lr_ratio: float = Field(0.05, ge=0.0, le=1.0, description="Last learning rate, as a fraction of lr.")
    weight_decay: float = Field(
        0.0, ge=0.0, le=1.0, description="Decay of weight matrices per step and unit of lr."
    )
    clip: float | None = Field(1.0, gt=0.0, description="Largest norm of the gradient. null: no limit.")
    ema: float = Field(
        0.999, ge=0.0, lt=1.0, description="Memory of the averaged weights per step. 0: no averaging."
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32", description="Arithmetic of the conditioner networks. The flow itself stays in float32."
    )
    condition_dropout: Fraction = Field(
        0.1,
        description="Fraction of the training windows that lose conditions: half of them all, half a random "
        "choice. 0: the model does not learn what it means that one is unknown.",
    )
    memory: Literal["store", "recompute"] = Field(
        "store",
        description="What a step does with activations. recompute: gets them back through the inverse of "
        "each layer, at up to 1.4 times the time, in memory that does not grow with the number of layers.",
    )
    draws: DrawsConfig | None = Field(None, description="Windows drawn while training. null: none.")
    validate_every: int = Field(200, ge=1, description="Steps between validations.")
    validate_windows: int = Field(512, ge=1, description="Most windows in a validation.")
    patience: int | None = Field(
        None, ge=1, description="Stop after so many validations without gain. null: never."
    )
    workers: int = Field(0, ge=0, le=256, description="Processes that load data. 0: the main process.")
    max_bad_steps: int = Field(10, ge=1, description="Stop after so many non-finite steps in a row.")
    log_every: int = Field(20, ge=1, description="Steps between lines of the log.")
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads. null: as many as there are cores."
    )
    tensorboard: bool = Field(
        False, description="Write the log for TensorBoard too; needs the extra `tensorboard`."
    )

    @model_validator(mode="after")
    def _between_keys(self) -> TrainConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.warmup > self.steps:
            yield ("warmup",), f"is longer than the training of {self.steps} steps"
        if self.micro_batch is not None and self.batch % self.micro_batch:
            yield ("micro_batch",), f"does not divide the batch of {self.batch}"


Term = Literal["nll", "latent", "local", "typicality", "band", "energy", "complexity", "ratio"]


class ScoreConfig(Config):
    """Anomaly scores and their calibration."""

    hop: int | None = Field(
        None, ge=1, description="Distance between the starts of scored windows, samples. null: half a window."
    )
    terms: Annotated[tuple[Term, ...], Field(strict=False, min_length=1)] = Field(
        ("nll", "latent", "local", "typicality"), description="What the score is made of."
    )
    background: str | None = Field(
        None,
        min_length=1,
        description="The run, or model file, that the term ratio compares with; the trained model keeps a "
        "copy. A path is taken from where the command runs. null: none.",
    )
    alarm_rate: float = Field(
        0.05, gt=0.0, lt=1.0, description="False alarms accepted, as a fraction of normal recordings."
    )
    alarms_per_hour: float | None = Field(
        None,
        gt=0.0,
        description="False alarms accepted per hour of signal; goes before alarm_rate. Blocks of windows are "
        "compared then, and events found. null: by alarm_rate.",
    )
    tail: Literal["pareto"] | None = Field(
        None,
        description="pareto: p-values below those that the calibration can promise, from a Pareto tail "
        "fitted to it: by a model, not promised. null: none.",
    )
    by: str | None = Field(
        None,
        min_length=1,
        description="A condition of data.conditions, such as machine: a recording is compared only with "
        "normal ones of the same value. null: with all.",
    )
    smoothing: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False, min_length=1)] = Field(
        (1, 16, 128), description="Lengths over which local scores are averaged, samples."
    )
    silence_db: float = Field(
        -90.0, le=0.0, description="Audio below this level is named silent, not scored; dB re full scale."
    )
    batch: int = Field(64, ge=1, le=1 << 20, description="Windows per pass.")

    @model_validator(mode="after")
    def _between_keys(self) -> ScoreConfig:
        for key in ("terms", "smoothing"):
            values = getattr(self, key)
            if len(set(values)) < len(values):
                refuse([((key,), "holds a value twice")])
        if "ratio" in self.terms and self.background is None:
            refuse([(("terms",), "has ratio, which needs a background model: see score.background")])
        if "ratio" not in self.terms and self.background is not None:
            refuse([(("background",), "is for the term ratio: add it to score.terms, or leave this out")])
        return self


class SampleConfig(Config):
    """Sequences drawn from the model."""

    n: int = Field(4, ge=1, le=1_000_000, description="Number of sequences.")
    seconds: float | None = Field(
        None, gt=0.0, description="Length, seconds; needs a rate. null: see length."
    )
    length: int | None = Field(None, ge=1, description="Length, samples. null with seconds null: one window.")
    temperature: float = Field(1.0, ge=0.0, le=10.0, description="Factor on the noise: below 1 less varied.")
    truncation: float = Field(
        1.0,
        ge=0.01,
        le=1.0,
        description="Central mass of its distribution that every sample of the noise is drawn from: below 1 "
        "nothing far out.",
    )

    @model_validator(mode="after")
    def _between_keys(self) -> SampleConfig:
        if self.seconds is not None and self.length is not None:
            refuse([(("length",), "and seconds both give the length: leave one out")])
        return self
