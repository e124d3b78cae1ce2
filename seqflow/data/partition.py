"""Which file belongs to which part: by manifest, by pattern, by fraction, with groups kept together."""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..recipe.data import SplitConfig
from .globs import Globs

PARTS = ("train", "valid", "calibration", "test")


def partition(
    names: Sequence[str], split: SplitConfig, seed: int, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The part of every name: train, valid, calibration or test; `given` are those of a manifest.

    What neither the manifest nor a pattern names is drawn: groups in an order that depends on nothing but
    (seed, their names) fill valid, then calibration, up to the fraction of all files that are not test data,
    as near as whole groups allow, with at least one group for each part and for training. A part that the
    manifest names takes no others. With `by: time` only the named files are whole; the rest has no part here.

    Raises UsageError where a file has two parts, a group is torn apart, a pattern's part or training is left
    without files, or there are too few groups.
    """
    given = dict(given or {})
    parts = {**given, **_by_pattern([name for name in names if name not in given], split)}
    if split.by == "time":
        return parts
    groups = _groups(names, split.group)
    for key, members in groups.items():
        held = {parts.get(name, "") for name in members}
        if len(held) > 1:
            one, other = members[0], next(m for m in members if parts.get(m) != parts.get(members[0]))
            raise UsageError(
                f"data.split.group: {one} and {other} are both of the group {key!r}, but not of the same "
                "part; name whole groups, or change the expression"
            )
    _draw(parts, groups, split, seed, {*given.values()})
    for name in names:
        parts.setdefault(name, "train")
    for key in PARTS:
        asked = key == "train" or (key != "test" and getattr(split, key) not in (0.0, ()))
        if asked and key not in parts.values():
            raise UsageError(f"data.split: leaves no file for {key}; change data.split, or add files")
    return parts


def _by_pattern(names: Sequence[str], split: SplitConfig) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in ("test", "valid", "calibration"):
        patterns = getattr(split, part)
        if not isinstance(patterns, tuple):
            continue
        globs = Globs(patterns)
        for name in filter(globs.match, names):
            if name in parts:
                raise UsageError(
                    f"data.split.{part}: {name} belongs to {parts[name]} already; let one pattern match it"
                )
            parts[name] = part
    return parts


def _groups(names: Sequence[str], expression: str | None) -> dict[str, list[str]]:
    """Names by group; a name without a match is a group of its own."""
    groups: dict[str, list[str]] = {}
    for name in names:
        match = re.search(expression, name) if expression is not None else None
        key = f"/{name}"
        if match is not None:
            key = match.group(1) if match.re.groups and match.group(1) is not None else match.group()
        groups.setdefault(key, []).append(name)
    return groups


def _draw(
    parts: dict[str, str], groups: Mapping[str, Sequence[str]], split: SplitConfig, seed: int, named: set[str]
) -> None:
    """Fill the parts that are fractions, from the groups that have no part yet."""
    fractions = {
        part: fraction
        for part in ("valid", "calibration")
        if isinstance(fraction := getattr(split, part), float) and fraction > 0.0 and part not in named
    }
    order = sorted(groups.items(), key=lambda group: _rank(seed, group[0]))
    free = deque(members for _, members in order if members[0] not in parts)
    spare = len(free) - len(fractions) - ("train" not in named)
    if spare < 0 and fractions:
        files = sum(map(len, free))
        what = f"{files} file{'s' if files != 1 else ''}"
        if files != len(free):
            what += f" in {len(free)} group{'s' if len(free) != 1 else ''}"
        raise UsageError(
            f"data.split: {what} cannot be parted into train, {' and '.join(fractions)}; add files, set "
            "data.split.by: time, or set a fraction to 0"
        )
    total = sum(len(members) for members in groups.values() if parts.get(members[0]) != "test")
    for part, fraction in fractions.items():
        members = list(free.popleft())
        while spare and 2 * (fraction * total - len(members)) >= len(free[0]):
            members += free.popleft()
            spare -= 1
        parts.update(dict.fromkeys(members, part))


def _rank(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}:".encode() + os.fsencode(group)).digest()
