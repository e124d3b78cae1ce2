"""Results of a batch on the disk: where they lie, and whether one still holds for its input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..data.packed import PackedFile
from ..data.regular import regular_file, unreadable
from ..files import sha256
from ..scoring import FileScore
from .score import output_path


def own_key(key: str, declared: Mapping[str, str] | None) -> str:
    """The key of an input, with what a manifest declares of it."""
    return f"{key} {json.dumps(dict(declared), sort_keys=True)}" if declared else key


def run_key(file: Path, **settings: Any) -> str:
    """Digest of everything but the input that decides on a result."""
    text = json.dumps({"model": sha256(file), "version": __version__, **settings}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def result_path(out: Path, name: str) -> Path:
    """Where the result of the input of this name lies."""
    return output_path(out / "results", name, ".json")


def content_of(path: Path | PackedFile) -> tuple[str, ...]:
    """Digests of the file and of the JSON file beside it, which may say how to read it and what it is.

    Of a file in shards that of the file that was packed, and one of how it was read and what was declared.
    """
    if isinstance(path, PackedFile):
        said = json.dumps(path.folder.header.reading, sort_keys=True) + path.declared
        return path.digest, hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()
    regular_file(path)
    files = [path]
    if path.with_suffix(".json").is_file():
        files.append(path.with_suffix(".json"))
    digests = []
    for file in files:
        try:
            digests.append(sha256(file))
        except OSError as error:
            raise unreadable(path, error) from None
    return tuple(digests)


def reusable(
    place: Path, key: str, content: tuple[str, ...], path: str, tracks: Path | None
) -> list[FileScore] | None:
    """Scores of an earlier run with the same model and content, if nothing is missing."""
    try:
        stored = json.loads(place.read_bytes())
        same = (stored["key"], tuple(stored["content"]), stored["path"]) == (key, content, path)
        scores = [FileScore.from_row(row) for row in stored["rows"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not same or not scores:
        return None
    if tracks and not all(output_path(tracks, s.name).exists() for s in scores if s.scored):
        return None
    return scores
