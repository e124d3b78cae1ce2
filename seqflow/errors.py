"""Errors that a user can act on: one line each, with the exit code of the command that meets them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class SeqflowError(Exception):
    """Base of all expected failures. The message is one line: what, where, and what to do."""

    exit_code = 1


class RecipeError(SeqflowError):
    """One or more faults in a recipe, all found in one pass.

    `problems` holds one line each, `file:line:column: key: what is wrong; what to do`.
    """

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class UsageError(SeqflowError):
    """A command or function was called with arguments that cannot work together."""

    exit_code = 2


class InputError(SeqflowError):
    """A recording cannot be used. `code` is the reason code, `path` the file it concerns."""

    exit_code = 3

    def __init__(self, path: str | Path, code: str, message: str) -> None:
        self.path = str(path)
        self.code = code
        self.detail = message
        super().__init__(f"{one_line(self.path)}: {code}: {message}")


class NothingUsableError(SeqflowError):
    """Of all recordings that were given, none can be used."""

    exit_code = 4


class CheckpointError(SeqflowError):
    """A checkpoint is damaged, of another version, or does not fit what it is used for."""

    exit_code = 2


class ResourceError(SeqflowError):
    """Out of disk or memory, or an output place that cannot be used."""

    exit_code = 5


class Interrupted(SeqflowError):  # noqa: N818
    """A signal asked the program to stop, and it has; what was done so far is saved."""

    exit_code = 130


def one_line(text: str) -> str:
    """The text with what is not printable, as a newline in the name of a file, written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
