"""Which file belongs to which part: by manifest, by pattern, by fraction, with groups kept together."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..recipe.data import SplitConfig
from .globs import Globs

PARTS = ("train", "valid", "calibration", "test")
Index = NDArray[np.int64]


def partition(
    names: Sequence[str], split: SplitConfig, seed: int, given: Sequence[str | None] | None = None
) -> list[str | None]:
    """The part of every name: train, valid, calibration or test; `given` are those of a manifest, or None.

    What neither the manifest nor a pattern names is drawn: groups in an order that depends on nothing but
    (seed, their names) fill valid, then calibration, up to the fraction of all files that are not test data,
    as near as whole groups allow, with at least one group for each part and for training. A part that the
    manifest names takes no others. With `by: time` only the named files are whole; the rest has None.

    Raises UsageError where a file has two parts, a group is torn apart, a pattern's part or training is left
    without files, or there are too few groups.
    """
    parts: list[str | None] = [None] * len(names) if given is None else list(given)
    named = {*parts} - {None}
    _by_pattern(parts, names, split)
    if split.by == "time":
        return parts
    keys = [f"/{name}" for name in names] if split.group is None else _keys(names, split.group)
    if split.group is None:
        group = first = np.arange(len(names))
    else:
        places: dict[str, int] = {}
        group = np.array([places.setdefault(key, len(places)) for key in keys], np.int64)
        first = np.unique(group, return_index=True)[1]
        _refuse_torn(parts, names, keys, group, first)
        keys = list(places)
    _draw(parts, group, first, _order(keys, seed), split, {*named})
    for part in PARTS:
        asked = part == "train" or (part != "test" and getattr(split, part) not in (0.0, ()))
        if asked and part not in parts:
            raise UsageError(f"data.split: leaves no file for {part}; change data.split, or add files")
    return parts


def _by_pattern(parts: list[str | None], names: Sequence[str], split: SplitConfig) -> None:
    """Fill in the parts that patterns name; those that are there go before."""
    free = [index for index, part in enumerate(parts) if part is None]
    for part in ("test", "valid", "calibration"):
        patterns = getattr(split, part)
        if not isinstance(patterns, tuple):
            continue
        globs = Globs(patterns)
        for index in free:
            if not globs.match(names[index]):
                continue
            if parts[index] is not None:
                raise UsageError(
                    f"data.split.{part}: {names[index]} belongs to {parts[index]} already; let one pattern "
                    "match it"
                )
            parts[index] = part


def _keys(names: Sequence[str], expression: str) -> list[str]:
    """The group of every name; a name without a match is a group of its own."""
    keys = []
    for name in names:
        match = re.search(expression, name)
        key = f"/{name}"
        if match is not None:
            key = match.group(1) if match.re.groups and match.group(1) is not None else match.group()
        keys.append(key)
    return keys


def _refuse_torn(
    parts: Sequence[str | None], names: Sequence[str], keys: Sequence[str], group: Index, first: Index
) -> None:
    """Raise UsageError where files of a group are of different parts."""
    for index, number in enumerate(group.tolist()):
        other = int(first[number])
        if parts[index] != parts[other]:
            raise UsageError(
                f"data.split.group: {names[other]} and {names[index]} are both of the group {keys[index]!r}, "
                "but not of the same part; name whole groups, or change the expression"
            )


def _order(keys: Iterable[str], seed: int) -> Index:
    """Groups by a hash of the seed and their names."""
    ranks, before = bytearray(), f"{seed}:".encode()
    for key in keys:
        ranks += hashlib.sha256(before + os.fsencode(key)).digest()
    words = np.frombuffer(ranks, ">u8").reshape(-1, 4)
    return np.lexsort(words.T[::-1])


def _draw(
    parts: list[str | None],
    group: Index,
    first: Index,
    order: Index,
    split: SplitConfig,
    named: set[str | None],
) -> None:
    """Give the groups that have no part yet to the parts that are fractions, and the rest to training.

    group: (n,) of every file; first: a file of every group; order: of the groups.
    """
    fractions = {
        part: fraction
        for part in ("valid", "calibration")
        if isinstance(fraction := getattr(split, part), float) and fraction > 0.0 and part not in named
    }
    sizes = np.bincount(group, minlength=len(first))
    open_ = np.array([part is None for part in parts], np.bool_)
    free = order[open_[first[order]]]
    spare = len(free) - len(fractions) - ("train" not in named)
    if spare < 0 and fractions:
        files = int(sizes[free].sum())
        what = f"{files} file{'s' if files != 1 else ''}"
        if files != len(free):
            what += f" in {len(free)} group{'s' if len(free) != 1 else ''}"
        raise UsageError(
            f"data.split: {what} cannot be parted into train, {' and '.join(fractions)}; add files, set "
            "data.split.by: time, or set a fraction to 0"
        )
    total = len(parts) - parts.count("test")
    at = 0
    for part, fraction in fractions.items():
        begin, count = at, int(sizes[free[at]])
        at += 1
        while spare and 2 * (fraction * total - count) >= sizes[free[at]]:
            count += int(sizes[free[at]])
            at, spare = at + 1, spare - 1
        for index in np.flatnonzero(np.isin(group, free[begin:at])).tolist():
            parts[index] = part
    for index in np.flatnonzero(open_).tolist():
        parts[index] = parts[index] or "train"
