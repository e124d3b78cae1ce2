"""The recordings of a recipe, parted into those that train, validate, set thresholds and test."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from ..errors import InputError, UsageError
from ..recipe import Recipe
from ..recipe.data import CommonData, SplitConfig
from .collection import open_collection
from .discover import raise_it
from .item import Item, Items
from .partition import PARTS, partition
from .recording import Recording

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Parts:
    """Recordings by what they are for. No sample is in two parts.

    Attributes:
        train, valid, calibration, test: recordings, sorted by name.
        skipped: files that cannot be used, and why.
        rate: Hz of all recordings; None for data without a clock.
        channels: C of all recordings.
        channel_names: (C) names of the columns; () where channels have no names.
        fingerprint: hex SHA-256 over the contents, the parting and the conditions of all but the test data.
    """

    train: Sequence[Recording]
    valid: Sequence[Recording]
    calibration: Sequence[Recording]
    test: Sequence[Recording]
    skipped: list[InputError]
    rate: float | None
    channels: int
    channel_names: tuple[str, ...]
    fingerprint: str


def split_recordings(recipe: Recipe, *, strict: bool = False) -> Parts:
    """Open the recordings of a recipe and part them by `data.split`. A function of seed, names and contents.

    By recording: see `partition`. By time: of every recording the first `train_end` samples, or all, are
    train, valid and calibration data in this order of time, without overlap; what follows is test data, and
    so are whole files that `test` names.

    Rate and channels are those of the first training recording where the recipe leaves them open. Recordings
    that do not have them, cannot be opened, or are shorter than a window with `short: skip`, are skipped;
    with `strict` they end the split, as do faults that could be read around.

    Raises UsageError where nothing is left of a part that is asked for, all training data are constant, or a
    training file has the same content as a held-back one; InputError for a faulty manifest, or with `strict`.
    """
    with _uncollected():
        return _split(recipe, strict)


def _split(recipe: Recipe, strict: bool) -> Parts:
    data, split = recipe.data, recipe.data.split
    skipped: list[InputError] = []
    report = raise_it if strict else skipped.append
    items = open_collection(data, strict, report)
    if data.short == "skip":
        fits = items.longest() >= data.window
        for index in np.flatnonzero(~fits).tolist():
            report(_too_short(items[index], data))
        items = items if fits.all() else items.choose(np.flatnonzero(fits))
    if not items:
        raise UsageError(f"data: no recording can be used; first: {skipped[0]}")
    try:
        named = partition(items.names(), split, recipe.seed, items.splits())
    except UsageError as error:
        why = f"; left out: {len(skipped)}, first: {skipped[0]}" if skipped else ""
        raise UsageError(f"{error}{why}") from None
    _refuse_copies(items, named)
    index = next((i for i, part in enumerate(named) if part in (None, "train")), 0)
    first = items[index].recordings[0]
    rate = data.rate or first.rate
    parts = {part: items.gather() for part in PARTS}
    digest = hashlib.sha256(
        f"{rate}:{first.channels}:{first.channel_names}\n".encode("utf-8", "backslashreplace")
    )
    for item, named_part in zip(items, named, strict=True):
        try:
            item = item.fitted(data, rate, first.channel_names, first.channels, strict)
        except InputError as error:
            report(error)
            continue
        pieces = _by_time(item, split) if named_part is None else {named_part: item.recordings}
        for part, recordings in pieces.items():
            for recording in recordings:
                if part == "test" or data.short == "pad" or recording.length >= data.window:
                    parts[part].append(recording)
                    if part != "test":
                        digest.update(_line(item, part, recording))
    _refuse_empty(parts, data, skipped)
    _refuse_constant(parts["train"])
    return Parts(
        **parts,
        skipped=skipped,
        rate=rate,
        channels=first.channels,
        channel_names=first.channel_names,
        fingerprint=digest.hexdigest(),
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: it would go through millions of recordings again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _by_time(item: Item, split: SplitConfig) -> dict[str, list[Recording]]:
    """The stretches of a file's recordings in each part, by where they lie in the file."""
    total, end = item.length, split.train_end
    normal = total if end is None else min(end, total) if isinstance(end, int) else round(end * total)
    valid, calibration = (
        round(f * normal) if isinstance(f, float) else 0 for f in (split.valid, split.calibration)
    )
    edges = {
        "train": (0, normal - valid - calibration),
        "valid": (normal - valid - calibration, normal - calibration),
        "calibration": (normal - calibration, normal),
        "test": (normal, total),
    }
    pieces: dict[str, list[Recording]] = {}
    for part, (first, last) in edges.items():
        for recording in item.recordings:
            start = max(0, first - recording.start)
            stop = min(recording.length, last - recording.start)
            if start < stop:
                whole = (start, stop) == (0, recording.length)
                pieces.setdefault(part, []).append(recording if whole else recording.part(start, stop))
    return pieces


def _longest(item: Item) -> int:
    return max(recording.length for recording in item.recordings)


def _too_short(item: Item, data: CommonData) -> InputError:
    text = (
        f"has {_longest(item)} samples, fewer than a window of {data.window}; set data.short: pad to use it"
    )
    return InputError(item.path or item.name, "too_short", text)


def _line(item: Item, part: str, recording: Recording) -> bytes:
    """What the fingerprint says of a recording."""
    values: tuple[object, ...] = (part, recording.name, recording.start, recording.length, recording.step)
    values += (item.size, item.digest)
    if recording.conditions:
        values += (sorted(recording.conditions.items()),)
    return repr(values).encode("utf-8", "backslashreplace")


def _refuse_copies(items: Items, named: Sequence[str | None]) -> None:
    """Raise UsageError where a file that trains and one that is held back have the same content.

    Files split by time train as well; copies of each other are split at the same place, and harm nothing.
    """
    digests = items.digests()
    values, counts = np.unique(digests, return_counts=True)
    seen: dict[str, tuple[str, str]] = {}
    for index in np.flatnonzero(np.isin(digests, values[counts > 1])).tolist():
        item, part = items[index], named[index] or "train"
        name, other = seen.setdefault(item.digest, (item.name, part))
        if part != other and "train" in (part, other):
            raise UsageError(
                f"data.split: {name} ({other}) and {item.name} ({part}) have the same content; leave one out "
                "with data.exclude"
            )


def _refuse_empty(
    parts: Mapping[str, Sequence[Recording]], data: CommonData, skipped: Sequence[InputError]
) -> None:
    """Raise UsageError where nothing is left of a part that the recipe asks for."""
    for part in ("train", "valid", "calibration"):
        asked = part == "train" or getattr(data.split, part) not in (0.0, ())
        if parts[part] or not asked:
            continue
        if data.split.by == "time" and not skipped:
            advice = "add data" if part == "train" else "raise its fraction"
            raise UsageError(
                f"data.split: the {part} part of no recording is as long as a window of {data.window} "
                f"samples; {advice}, or lower data.window"
            )
        why = f"; first: {skipped[0]}" if skipped else ""
        raise UsageError(f"data.split: nothing is left for {part}{why}")


def _refuse_constant(recordings: Sequence[Recording]) -> None:
    """Raise UsageError where no channel of any recording has two different samples."""
    for recording in recordings:
        low, high = np.full(recording.channels, np.inf), np.full(recording.channels, -np.inf)
        try:
            for values, mask in recording.blocks(_BLOCK):
                low = np.minimum(low, np.where(mask, values, np.inf).min(axis=1))
                high = np.maximum(high, np.where(mask, values, -np.inf).max(axis=1))
                if (low < high).any():
                    return
        except InputError:
            return  # whoever reads it in training says so
    names = ", ".join(PurePath(recording.name).name for recording in recordings[:3])
    raise UsageError(
        f"data: all training data are constant ({names}): there is nothing to learn; check the files"
    )
