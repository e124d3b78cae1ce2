"""What every part of a recipe has in common: frozen, unknown keys refused, no silent conversion of types."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Problem = tuple[tuple[str | int, ...], str]
"""A fault found between keys: the path of the key to blame, and what is wrong and what to do."""


class Config(BaseModel):
    """A part of a recipe.

    Values keep the type they have in the file: text is no number, true is not 1, and nothing is infinite. A
    whole number is accepted where a fraction is expected, and a list where a tuple is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def refuse(problems: Iterable[Problem]) -> None:
    """Raise the faults found between keys of one part as a single validation error, if there are any."""
    found = list(problems)
    if found:
        text = "; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in found)
        raise PydanticCustomError("between_keys", "{text}", {"text": text, "problems": found})


def _relative_pattern(pattern: str) -> str:
    path = PurePosixPath(pattern)
    if not pattern or path.is_absolute() or ".." in path.parts or "\0" in pattern:
        raise PydanticCustomError(
            "pattern", "must be a pattern below data.root, without a leading / and without .."
        )
    return pattern


Glob = Annotated[str, AfterValidator(_relative_pattern)]
"""A pattern of file names below `data.root`: `*` matches within a folder, `**/` any number of folders."""

Globs = Annotated[tuple[Glob, ...], Field(strict=False)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
