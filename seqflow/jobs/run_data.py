"""The recordings that a run was trained with: found again by its recipe, and only where they are the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..data.digest import file_digest
from ..data.recording import Recording, Recordings, facts
from ..data.split import Parts, split_recordings
from ..errors import InputError, UsageError
from ..model import Model


def run_data(model: Model) -> Parts:
    """The recordings of the model's training, parted as they were.

    A model holds no names of recordings, but its recipe says where they lay, and a fingerprint what was in
    them and how they were parted. Reads all of them once, as a resumed training does. Raises UsageError where
    they are not there, or no longer the same.
    """
    try:
        found = split_recordings(model.recipe)
    except (UsageError, InputError) as error:
        raise UsageError(f"the recordings of its training are not at hand ({error})") from None
    if found.fingerprint != model.info.get("data_fingerprint"):
        raise UsageError("the recordings of its training are no longer what they were")
    return found


def new_to(made: Sequence[Sequence[Recording]], found: Sequence[Recording]) -> list[Recording]:
    """Those of the recordings found that come from none of the files of the lists `made`.

    By place, and by content where either lie in shards. Raises InputError where a file cannot be read.
    """
    loose, digests = set(), set()
    for recordings in made:
        digests |= {*facts(recordings, "digest")} - {""}
        if not isinstance(recordings, Recordings):  # those have digests
            loose |= {Path(one.path).resolve() for one in recordings if one.path and not one.digest}
    if any(one.digest for one in found):
        digests |= {file_digest(path) for path in loose}

    def known(one: Recording) -> bool:
        if not one.path:
            return False
        return Path(one.path).resolve() in loose or (
            bool(digests) and (one.digest or file_digest(Path(one.path))) in digests
        )

    return [one for one in found if not known(one)]


def roles(parts: Mapping[str, Sequence[Recording]], digests: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Which part of a training has a file of the same content, by the digest; those in none are missing.

    `digests` are those of the files asked about, see `file_digest`, with their sizes in bytes. The first of
    the parts counts.
    """
    asked = dict(digests)
    sizes = {*asked.values()}
    found: dict[str, str] = {}
    for part, recordings in parts.items():
        for digest in {*facts(recordings, "digest")} & asked.keys():
            found.setdefault(digest, part)
        if isinstance(recordings, Recordings):
            continue  # of shards, whose digests are all there
        for path in sorted({recording.path for recording in recordings if not recording.digest} - {""}):
            try:
                # Most have another size: they need not be read.
                digest = file_digest(Path(path)) if os.stat(path).st_size in sizes else ""  # noqa: PTH116
            except (OSError, InputError):
                continue  # gone since it was found the same
            if digest in asked:
                found.setdefault(digest, part)
    return found
