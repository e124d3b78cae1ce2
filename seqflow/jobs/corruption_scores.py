"""Recordings and their corrupted copies, judged by a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..corruptions import CORRUPTIONS, SHORTEST, corrupt
from ..data.recording import ArrayRecording, Recording, Values
from ..errors import InputError
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import repeatable
from ..scoring import Calibration, judge_apart
from .corruption_material import values_error

Tell = Callable[[int, int, str], None]

JOINED = "score"
"""Name of the joined score among the terms."""


@dataclass(frozen=True)
class Outcome:
    """What the model says of one recording.

    Attributes:
        status: "ok", or a named state.
        values, p_values: by JOINED and the names of the terms; empty where the state stands in place of a
            score.
    """

    status: str
    values: Mapping[str, float]
    p_values: Mapping[str, float]

    @property
    def scored(self) -> bool:
        """Whether there is a score."""
        return bool(self.values)


@dataclass(frozen=True)
class Judged:
    """A recording as it is, and its copies by the name of the corruption."""

    name: str
    clean: Outcome
    changed: Mapping[str, Outcome]


def judge_corrupted(
    model: Model,
    config: ScoreConfig,
    calibration: Calibration,
    recordings: Sequence[Recording],
    seed: int,
    tell: Tell,
) -> tuple[list[Judged], list[InputError]]:
    """All that can be judged, in order, and why others cannot: those that have no score as they are, too.

    Memory: one recording. A copy depends on seed, name and samples of its recording alone.
    """
    judged: list[Judged] = []
    failed: list[InputError] = []
    with repeatable(model.device):
        for done, recording in enumerate(recordings):
            tell(done, len(recordings), recording.name)
            try:
                judged.append(_judge(model, config, calibration, recording, seed))
            except InputError as error:
                failed.append(error)
        tell(len(recordings), len(recordings), "")
    return judged, failed


def random_for(seed: int, corruption: str, recording: Recording) -> np.random.Generator:
    """The random numbers of one copy: other recordings and other corruptions have no say in them."""
    text = f"{corruption}\0{recording.start}\0{recording.name}".encode("utf-8", "surrogateescape")
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(text).digest()[:8], "little")])


def _judge(
    model: Model, config: ScoreConfig, calibration: Calibration, recording: Recording, seed: int
) -> Judged:
    values = _values(recording)

    def outcome(x: Values) -> Outcome:
        found = judge_apart(model.flow, _copy(recording, x), config, calibration)
        if found.joined is None:
            return Outcome(found.verdict.status, {}, {})
        return Outcome(
            found.verdict.status,
            {JOINED: found.joined.score} | {name: float(one.terms[0]) for name, one in found.alone.items()},
            {JOINED: found.joined.p_value} | {name: one.p_value for name, one in found.alone.items()},
        )

    clean = outcome(values)
    if not clean.scored:
        raise InputError(
            recording.path or recording.name, clean.status, "has no score as it is; nothing to compare with"
        )
    changed = {
        name: outcome(
            corrupt(
                values,
                name,
                random_for(seed, name, recording),
                rate=recording.rate,
                step=recording.step,
                full_scale=recording.kind == "audio",
            )
        )
        for name in CORRUPTIONS
    }
    return Judged(recording.name, clean, changed)


def _values(recording: Recording) -> Values:
    where = recording.path or recording.name
    if (error := values_error(recording)) is not None:
        raise error
    block = recording.read(0, recording.length)
    if block.values.shape[1] < SHORTEST:
        raise InputError(where, "too_short", f"has {block.values.shape[1]} samples; leave it out")
    if not block.mask.all():
        missing = int((~block.mask).any(axis=0).sum())
        text = (
            f"{missing} samples are missing or not finite; cut them off, or fill them (see: seqflow inpaint)"
        )
        raise InputError(where, "nonfinite", text)
    return block.values


def _copy(recording: Recording, values: Values) -> ArrayRecording:
    return ArrayRecording(
        values,
        name=recording.name,
        path=recording.path,
        kind=recording.kind,
        rate=recording.rate,
        step=recording.step,
        channel_names=recording.channel_names,
        conditions=recording.conditions,
    )
