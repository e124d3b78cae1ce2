"""A trained model calibrated anew, on recordings that are known to be normal, without training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..data.digest import file_digest
from ..data.packed import PackedFile
from ..data.recording import Recording
from ..data.regular import regular_file
from ..data.split import Parts
from ..errors import InputError, NothingUsableError, UsageError
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import repeatable
from ..scoring import Background, Calibration, Extract, calibrate_extracts, extract
from ..scoring.compare import Comparisons
from ..scoring.fuse import rate_text
from ..training.background import background_beside, with_background
from ..training.events import Calibrated, LeftOut, OnEvent, Warned
from .alarms import Alarms, TailChoice
from .inputs import Input, list_inputs, open_input, without_memory
from .run_data import roles, run_data

ANEW = "calibrated_anew"
"""The key in a model's `info` that tells of a calibration made after the training."""

OnProgress = Callable[[int, int], None]


def calibrate(
    model: Model,
    paths: Sequence[str | Path | Recording],
    *,
    alarm_rate: float | None = None,
    alarms_per_hour: float | None = None,
    tail: TailChoice | None = None,
    background: str | Path | None = None,
    add: bool = False,
    strict: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
) -> Model:
    """The model with a calibration on these recordings; the flow is the same object, nothing is trained.

    Its `info` has an entry `calibrated_anew`: how many recordings were used, how many of them were those of
    the training's own calibration, how many were left out, and how many given ones took part in the training.

    Args:
        model: a trained model; it stays as it is.
        paths: files, folders (all recordings below), patterns, or recordings; normal ones, that took no part
            in the training.
        alarm_rate: false alarms accepted, a fraction, from now on; None for the recipe's.
        alarms_per_hour: false events accepted per hour from now on, in place of the rate; by blocks.
        tail: "pareto" or "conformal", from now on, see `score_paths`; None for the recipe's.
        background: a run or model file that the term `ratio` compares with, from now on; None for the one
            that the model has, if any.
        add: calibrate on the recordings that the training held back for it as well. They are found by the
            recipe, and must be what they were.
        strict: refuse files with faults that could be read around.
        on_event: told of recordings that are left out (`LeftOut`), of doubts (`Warned`), and at the end of
            the calibration (`Calibrated`).
        on_progress: told the number of inputs done, and of all.

    Raises UsageError where the recordings are too few to promise the alarm rate, where `add` cannot be had,
    and for a background model of another rate, window, step or number of channels, CheckpointError where
    there is none; NothingUsableError where none of them can be used; ResourceError where memory runs out.
    """
    emit = on_event or _ignore
    config = Alarms(alarm_rate, alarms_per_hour, tail).config(model.recipe.score)
    other = model.background
    if background is not None:
        config = with_background(config, background)
    if config.background is not None and (background is not None or other is None):
        other = background_beside(config.background, model)
    parts = _training_data(model, add, emit)
    inputs = list(list_inputs(model, paths))
    taken = _Taken(model, config, other, strict, emit)
    digests = _digests(inputs)
    known: dict[str, str] = {}
    if parts is not None:
        held = {"calibration": parts.calibration} if add else {}
        known = roles({**held, "train": parts.train, "valid": parts.valid}, digests.values())
    with repeatable(model.device):
        own = taken.own(parts.calibration) if add and parts is not None else []
        for done, item in enumerate(inputs, 1):
            digest, _ = digests.get(done, (None, 0))
            taken.add(item, digest, known)
            if on_progress is not None:
                on_progress(done, len(inputs))
    used = taken.extracts
    if not used:
        first = f"; first: {taken.left_out[0]}" if taken.left_out else ""
        raise NothingUsableError(f"calibration: none of {len(inputs)} inputs can be used{first}")
    taken.warn()
    calibration = calibrate_extracts([*own, *used], config, window=model.window, background=other)
    _check(calibration, config)
    for doubt in Comparisons(config, calibration, model.rate).too_small():
        emit(Warned(doubt))
    emit(Calibrated(len(calibration), calibration.unit, calibration.attainable_rate))
    counts = {
        "recordings": len(own) + len(used),
        "of_the_training": len(own),
        "left_out": len(taken.left_out),
        "trained_on": len(taken.trained_on),
    }
    recipe = model.recipe.model_copy(update={"score": config})
    return replace(model, recipe=recipe, calibration=calibration, info={**model.info, ANEW: counts})


def _training_data(model: Model, add: bool, emit: OnEvent) -> Parts | None:
    """The recordings of the training; None where they cannot be known. UsageError where `add` needs them."""
    if add and ANEW in model.info:
        raise UsageError(
            "add: this run was calibrated anew, on recordings that it does not name; leave --add out and "
            "give all of them, or take the run that was trained"
        )
    if model.recipe.data.kind == "synthetic" and not add:
        return None  # made up: no file took part
    try:
        parts = run_data(model)
    except UsageError as error:
        if add:
            raise UsageError(f"add: {error}; leave --add out, and give all recordings") from None
        emit(Warned(f"whether a recording took part in the training cannot be known: {error}"))
        return None
    if add and not parts.calibration:
        raise UsageError("add: the training held no recording back to calibrate on; leave --add out")
    return parts


@dataclass
class _Taken:
    """The recordings of the inputs as they come in, and what became of them."""

    model: Model
    config: ScoreConfig
    background: Background | None
    strict: bool
    emit: OnEvent
    extracts: list[Extract] = field(default_factory=list)
    left_out: list[InputError] = field(default_factory=list)
    trained_on: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)

    def add(self, item: Input, digest: str | None, known: dict[str, str]) -> None:
        """Take in one input; what cannot be used is left out with its reason."""
        try:
            self._refuse_copy(item, digest, known)
            recordings = list(open_input(self.model, item, strict=self.strict))
        except InputError as error:
            return self._leave(error)
        for recording in recordings:
            try:
                self.extracts.append(self._extract(recording))
            except InputError as error:
                self._leave(error)
                continue
            if digest is not None and digest in known:
                self.trained_on.append(recording.name)

    def own(self, recordings: Sequence[Recording]) -> list[Extract]:
        """Those that the training calibrated on; as there, ones without a score count for nothing."""
        return [one for one in map(self._through, recordings) if one.scored]

    def warn(self) -> None:
        """Tell of recordings that were used and yet give reason to doubt."""
        if self.trained_on:
            count = _recordings(len(self.trained_on))
            self.emit(
                Warned(
                    f"{count} took part in the training (first: {self.trained_on[0]}): they look more normal "
                    "than new ones, and there will be more false alarms than promised; leave them out"
                )
            )
        odd = [one for one in self.extracts if one.status != "ok"]
        if odd:
            first = f"{odd[0].name}: {odd[0].status}: {odd[0].detail}"
            self.emit(Warned(f"{_recordings(len(odd))} used in spite of a fault (first: {first})"))

    def _refuse_copy(self, item: Input, digest: str | None, known: dict[str, str]) -> None:
        if digest is None:
            return
        if known.get(digest) == "calibration":
            raise InputError(item.name, "duplicate", "is one that the training calibrated on; leave it out")
        other = self.seen.setdefault(digest, item.name)
        if other != item.name:
            raise InputError(item.name, "duplicate", f"has the same content as {other}; leave one out")

    def _extract(self, recording: Recording) -> Extract:
        kind = self.model.recipe.data.kind
        if kind not in ("synthetic", recording.kind):
            text = f"is {recording.kind}, the model was trained on {kind}; leave it out"
            raise InputError(recording.path or recording.name, "wrong_kind", text)
        found = self._through(recording)
        if not found.scored:
            raise InputError(recording.path or recording.name, found.status, found.detail)
        return found

    def _through(self, recording: Recording) -> Extract:
        try:
            return extract(
                self.model.flow,
                recording,
                self.config,
                window=self.model.window,
                background=self.background,
            )
        except (RuntimeError, MemoryError) as error:
            raise without_memory(error, recording.name, self.config) from error

    def _leave(self, error: InputError) -> None:
        self.left_out.append(error)
        self.emit(LeftOut(error.path, error.code, error.detail))


def _check(calibration: Calibration, config: ScoreConfig) -> None:
    """Raise UsageError where the calibration cannot promise the rate, with the one it can."""
    smallest, rate = calibration.attainable_rate, config.alarm_rate
    plain = config.alarms_per_hour is None and config.by is None and config.tail is None
    if not plain or smallest <= rate * (1.0 + 1e-9):
        return
    count = f"{len(calibration)} {calibration.unit}{'s' * (len(calibration) != 1)}"
    raise UsageError(
        f"alarm rate: {rate:g} cannot be promised: the recordings make {count}, enough for "
        f"{rate_text(smallest)}; give more recordings, or ask for at least that (--alarm-rate)"
    )


def _digests(inputs: Sequence[Input]) -> dict[int, tuple[str, int]]:
    """Digests and sizes of the files among the inputs, by their numbers from 1.

    Who opens the others says what is wrong with them.
    """
    found = {}
    for number, item in enumerate(inputs, 1):
        if isinstance(item.source, PackedFile):
            found[number] = item.source.digest, item.source.size
        elif isinstance(item.source, Path):
            try:
                found[number] = file_digest(item.source), regular_file(item.source).st_size
            except InputError:
                continue
    return found


def _recordings(count: int) -> str:
    return f"{count} recording{'s' * (count != 1)}"


def _ignore(event: object) -> None:
    pass
