"""Patterns of file names, with `**` for any number of folders, as `pathlib` of Python 3.13 matches them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

_ANY = None


class Globs:
    """Whether a name, `/` as separator, matches one of the patterns as a whole.

    `*`, `?` and `[...]` match within a folder, also names that begin with a dot; `**` as a part of its own
    matches any number of folders, none included; at the end it matches every file below. Upper and lower case
    differ unless `ignore_case`. Time is bounded by (parts of the name)·(parts of the patterns).
    """

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        flags = re.IGNORECASE if ignore_case else re.NOFLAG
        self._patterns = [_parts(pattern, flags) for pattern in patterns]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, name: str) -> bool:
        """True if any pattern matches."""
        parts = name.split("/")
        return any(_match(pattern, parts) for pattern in self._patterns)


_Part = Callable[[str], re.Match[str] | None] | None


def _parts(pattern: str, flags: re.RegexFlag) -> list[_Part]:
    """Matchers of the parts of a pattern; None for `**`."""
    parts: list[_Part] = []
    for text in pattern.split("/"):
        if text in ("", "."):
            continue
        if text != "**":
            parts.append(re.compile(fnmatch.translate(text), flags).match)
        elif not parts or parts[-1] is not _ANY:
            parts.append(_ANY)
    if parts and parts[-1] is _ANY:
        parts.append(re.compile("(?s:.)").match)
    return parts


def _match(pattern: Sequence[_Part], parts: Sequence[str]) -> bool:
    """Follow all ways through the pattern at once, as an automaton does."""
    states = _open(pattern, {0})
    for part in parts:
        states = _open(
            pattern,
            {
                state if pattern[state] is _ANY else state + 1
                for state in states
                if state < len(pattern) and ((matches := pattern[state]) is _ANY or matches(part))
            },
        )
        if not states:
            return False
    return len(pattern) in states


def _open(pattern: Sequence[_Part], states: set[int]) -> set[int]:
    """With the states behind each `**`, which may also match nothing."""
    return states | {state + 1 for state in states if state < len(pattern) and pattern[state] is _ANY}
