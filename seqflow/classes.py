"""The conditions a model knows, each with its values, and what of them a network sees: one number a value.

Shapes: N conditions; K values of all of them together; codes (n, N), -1 for unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError, one_line

Codes = NDArray[np.int64]

MOST_VALUES = 4096
_MOST_LISTED = 20


@dataclass(frozen=True)
class Classes:
    """Values of conditions, as they were found in the training recordings.

    Attributes:
        values: the sorted values of each condition by its name, in the order of the recipe.
    """

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Sequence[str], recordings: Iterable[Mapping[str, str]]) -> Classes:
        """The classes of these conditions in recordings, which are given by what is declared about them.

        Raises UsageError for a condition without a value, or with more than 4096.
        """
        found: dict[str, set[str]] = {name: set() for name in names}
        for conditions in recordings:
            for name in names:
                if name in conditions:
                    found[name].add(conditions[name])
        for name, values in found.items():
            if not values:
                raise UsageError(f"data.conditions.{name}: no training recording has a value")
            if len(values) > MOST_VALUES:
                raise UsageError(
                    f"data.conditions.{name}: has {len(values)} values, the most is {MOST_VALUES}; is it one?"
                )
        return cls({name: tuple(sorted(values)) for name, values in found.items()})

    @cached_property
    def _index(self) -> dict[str, dict[str, int]]:
        return {name: {value: i for i, value in enumerate(values)} for name, values in self.values.items()}

    def __bool__(self) -> bool:
        return bool(self.values)

    @property
    def size(self) -> int:
        """K, the width of a condition as networks take it."""
        return sum(map(len, self.values.values()))

    def codes(self, conditions: Mapping[str, str]) -> list[int]:
        """Index of the value of each of the N conditions; -1 where none is given, or an unknown one."""
        return [
            places.get(conditions[name], -1) if name in conditions else -1
            for name, places in self._index.items()
        ]

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """(n, N) codes as (n, K) numbers: 1 at the value of each condition, 0 elsewhere; unknown: all 0."""
        vectors = np.zeros((len(codes), self.size), np.float32)
        start = 0
        for column, values in enumerate(self.values.values()):
            known = np.flatnonzero(codes[:, column] >= 0)
            vectors[known, start + codes[known, column]] = 1.0
            start += len(values)
        return vectors

    def vector(self, conditions: Mapping[str, str]) -> NDArray[np.float32]:
        """(K,) numbers for one sequence."""
        (vector,) = self.one_hot(np.array([self.codes(conditions)], np.int64))
        return np.asarray(vector)

    def unknown(self, conditions: Mapping[str, str]) -> list[str]:
        """A line on each condition that is not given, or has a value that is not known."""
        lines = []
        for name, values in self.values.items():
            value = conditions.get(name)
            if value is None:
                lines.append(f"{name} is not declared: taken for unknown")
            elif value not in values:
                lines.append(f"{name} {_shown(value)} is not among the training data: taken for unknown")
        return lines

    def check(self, condition: Mapping[str, str]) -> None:
        """Raise UsageError, with what there is, for a name or a value that the model does not know."""
        for name, value in condition.items():
            if name not in self.values:
                there = f"there are {_listed(list(self.values))}" if self else "the model takes none"
                raise UsageError(f"condition {_shown(name)}: is not known{_near(name, self.values)}; {there}")
            values = self.values[name]
            if value not in values:
                raise UsageError(
                    f"condition {name}: {_shown(value)} is not among its values{_near(value, values)}; "
                    f"there are {_listed(values)}"
                )


def _near(word: str, words: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"; nearest {_shown(found[0])}" if found else ""


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST_LISTED} more" if len(words) > _MOST_LISTED else ""
    return ", ".join(one_line(word) for word in words[:_MOST_LISTED]) + more


def _shown(value: str) -> str:
    return repr(one_line(value[:60]))
