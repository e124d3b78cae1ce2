"""The `data` part of a recipe: which recordings, how they are cut, and which are held back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Config, Fraction, Glob, Globs, Problem, refuse

Channel = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
Channels = Literal["all", "mono", "first"] | Annotated[tuple[Channel, ...], Field(strict=False, min_length=1)]


class SplitConfig(Config):
    """Which part of the data trains, and which is held back to validate, to calibrate and to test."""

    by: Literal["recording", "time"] = Field(
        "recording", description="Hold back whole recordings, or the later part of every recording."
    )
    test: Globs = Field((), description="Files never used in training, by pattern below data.root.")
    valid: Globs | Fraction = Field(
        0.1,
        description="Files that measure progress in training: patterns, or a fraction of the whole.",
    )
    calibration: Globs | Fraction = Field(
        0.2,
        description="Files that set the alarm thresholds: patterns, or a fraction of the whole.",
    )
    group: str | None = Field(
        None,
        description="Regular expression over file names. Files with the same match (its first group, where "
        "it has one) stay in the same part: one machine, one speaker.",
    )
    train_end: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0.0, lt=1.0)] | None = Field(
        None,
        description="With by: time, where the normal part of every recording ends: a number of samples, or a "
        "fraction of the recording. What follows is test data. null: the whole recording.",
    )

    @model_validator(mode="after")
    def _between_keys(self) -> SplitConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        held = [part for part in (self.valid, self.calibration) if isinstance(part, float)]
        if sum(held) >= 1.0:
            yield (
                ("calibration",),
                "with valid leaves nothing to train on: their fractions must sum to less than 1",
            )
        if self.by == "recording" and self.train_end is not None:
            yield ("train_end",), "has a meaning only with by: time"
        named = [
            (key, globs)
            for key in ("test", "valid", "calibration")
            if isinstance(globs := getattr(self, key), tuple)
        ]
        for i, (key, globs) in enumerate(named):
            if self.by == "time" and key != "test":
                yield (key,), "must be a fraction of the time where the split is by time"
            for earlier, others in named[:i]:
                for shared in sorted(set(globs) & set(others)):
                    yield (
                        (key,),
                        f"holds the pattern {shared!r} of {earlier}: a file belongs to one part only",
                    )
        if self.group is not None:
            try:
                re.compile(self.group)
            except re.error as error:
                yield ("group",), f"is not a regular expression: {error}"


class ConditionConfig(Config):
    """Where the value of a condition comes from, as text. One of the keys, not several."""

    path: str | None = Field(
        None,
        min_length=1,
        description="Regular expression with one group, the value, searched for in the file's path below "
        "data.root.",
    )
    column: str | None = Field(None, min_length=1, description="Column of the manifest.")
    sidecar: str | None = Field(
        None, min_length=1, description="Key of the JSON file of the same name beside the file."
    )

    @model_validator(mode="after")
    def _one_source(self) -> ConditionConfig:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if not given:
            yield ("path",), "is missing: give path, column or sidecar"
        for key in given[1:]:
            yield (key,), f"and {given[0]} both give the value: leave one out"
        if self.path is None:
            return
        try:
            groups = re.compile(self.path).groups
        except re.error as error:
            yield ("path",), f"is not a regular expression: {error}"
            return
        if groups != 1:
            yield ("path",), f"must have one group in ( ), which is the value, and has {groups}"


Conditions = Mapping[str, ConditionConfig]
MOST_CONDITIONS = 16


class AugmentConfig(Config):
    """Random changes to training windows that leave them normal. Never applied to held-back data."""

    gain_db: Annotated[tuple[float, float], Field(strict=False)] | None = Field(
        None, description="Lowest and highest random gain, dB. null: none."
    )
    polarity: bool = Field(False, description="Turn the sign of a window over at random.")
    shift: int = Field(
        0, ge=0, description="Largest random displacement of a window in its recording, samples."
    )

    @model_validator(mode="after")
    def _between_keys(self) -> AugmentConfig:
        if self.gain_db is not None and self.gain_db[0] > self.gain_db[1]:
            refuse([(("gain_db",), "must be lowest first, then highest")])
        return self


class CommonData(Config):
    """Keys that every kind of data has."""

    window: int = Field(ge=2, le=1 << 20, description="Length of a window, samples.")
    hop: int | None = Field(
        None, ge=1, description="Distance between the starts of training windows, samples. null: one window."
    )
    rate: float | None = Field(
        None, gt=0.0, description="Sampling rate the model works at, Hz. null: that of the first recording."
    )
    channels: Channels = Field(
        "all",
        description="all; first; mono (the mean of all); or a list of numbers (from 0) or column names.",
    )
    step: Literal["auto"] | Annotated[float, Field(ge=0.0)] = Field(
        "auto",
        description="Quantisation step, units of the data. auto: found in every recording; 0: continuous.",
    )
    short: Literal["skip", "pad"] = Field(
        "skip", description="Recordings shorter than one window: leave out, or fill up with masked samples."
    )
    split: SplitConfig = Field(default_factory=SplitConfig, description="What is held back from training.")
    augment: AugmentConfig = Field(default_factory=AugmentConfig, description="Random changes in training.")
    conditions: Conditions = Field(
        {},
        description="What is declared about every recording (digit, speaker, machine, load): names of your "
        "choice, and where each value comes from. A file without a value is left out.",
    )
    cache: bool = Field(True, description="Keep decoded recordings in memory while they fit cache_mb.")
    cache_mb: int = Field(1024, ge=0, description="Memory for decoded recordings, MiB.")

    @model_validator(mode="after")
    def _between_keys(self) -> CommonData:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[Problem]:
        if self.hop is not None and self.hop > self.window:
            text = f"is longer than the window of {self.window}: samples in between would never be seen"
            yield ("hop",), text
        if len(self.conditions) > MOST_CONDITIONS:
            yield ("conditions",), f"are {len(self.conditions)}, the most is {MOST_CONDITIONS}"
        for name, source in self.conditions.items():
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                yield ("conditions", name), "is no name: use letters, digits and _"
            if source.column is not None and getattr(self, "manifest", None) is None:
                yield ("conditions", name, "column"), "has a meaning only with data.manifest"
            if source.path is None and not isinstance(self, FileData):
                yield ("conditions", name), "must come from the path: made-up data have nothing but names"


class FileData(CommonData):
    """Keys of data that lies in files."""

    root: str = Field(
        min_length=1,
        description="Folder of the recordings, or of shards of them, relative to the current directory.",
    )
    exclude: Globs = Field((), description="Files left out altogether, by pattern below root.")
    manifest: str | None = Field(
        None,
        min_length=1,
        description="CSV or JSON-lines list of files, below root, in place of the patterns.",
    )


class AudioData(FileData):
    """Sound and vibration in audio files."""

    kind: Literal["audio"]
    files: Annotated[tuple[Glob, ...], Field(strict=False, min_length=1)] = Field(
        ("**/*.wav", "**/*.flac", "**/*.ogg", "**/*.mp3"), description="Files to use, by pattern below root."
    )
    resample: Literal["soxr", "refuse"] = Field(
        "soxr", description="Recordings of another rate: resample them (soxr, HQ), or refuse them."
    )


class SeriesData(FileData):
    """Sensor series in tables: CSV, Parquet or NumPy arrays."""

    kind: Literal["series"]
    files: Annotated[tuple[Glob, ...], Field(strict=False, min_length=1)] = Field(
        ("**/*.csv", "**/*.parquet", "**/*.npy"), description="Files to use, by pattern below root."
    )
    columns: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = Field(
        None, description="Value columns, in order. null: every numeric column but the time and the label."
    )
    time: str | None = Field(
        "auto",
        min_length=1,
        description="Column of time stamps. auto: found by its name; null: there is none.",
    )
    label: str | None = Field(
        None,
        min_length=1,
        description="Column of anomaly labels, kept away from the model. null: there is none.",
    )
    irregular: Literal["refuse", "sort", "split", "mask"] = Field(
        "refuse",
        description="Time stamps out of order or with gaps: refuse the file, sort it, split it at the gap, "
        "or fill the gap with masked samples.",
    )
    missing: Literal["mask", "refuse"] = Field(
        "mask", description="Empty and non-finite values: score around them, or refuse the file."
    )
    decimal: Literal[".", ","] = Field(".", description="Decimal mark of CSV files.")


class SyntheticData(CommonData):
    """Made-up recordings, the same for the same seed: to try things without data."""

    kind: Literal["synthetic"]
    generator: Literal["sine", "machine", "sensor"] = Field(
        description="sine: tones in noise; machine: a rotating machine; sensor: a slow daily cycle."
    )
    recordings: int = Field(8, ge=1, le=100_000, description="Number of recordings.")
    seconds: float = Field(10.0, gt=0.0, le=36_000.0, description="Length of a recording, seconds.")
    variants: int = Field(
        1,
        ge=1,
        le=26,
        description="Kinds of recordings in turn, each of its own pitch; names then end in -a, -b and so on.",
    )
    seed: int = Field(0, ge=0, lt=1 << 63, description="Seed of the made-up recordings.")


DataConfig = Annotated[AudioData | SeriesData | SyntheticData, Field(discriminator="kind")]
