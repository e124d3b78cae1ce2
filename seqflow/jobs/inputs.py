"""What is given to a command to be scored: paths, patterns and recordings, opened as the model takes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.discover import expand
from ..data.open import open_recordings
from ..data.packed import PackedFile
from ..data.recording import Recording
from ..errors import InputError, ResourceError
from ..model import Model
from ..recipe import ScoreConfig
from ..runtime import out_of_memory

_KEY = re.compile(r"\bdata\.[a-z]")


@dataclass(frozen=True)
class Input:
    """One thing to score, under this name in tables: a file, one in shards, a recording, or what fails.

    `columns` are those of a file in a manifest.
    """

    name: str
    source: Path | PackedFile | Recording | InputError
    columns: Mapping[str, str] | None = None


def open_input(model: Model, item: Input, *, strict: bool) -> Iterator[Recording]:
    """The recordings in one input: one, but for series with gaps. Raises what `open_recordings` does."""
    match item.source:
        case InputError() as error:
            raise error
        case Recording() as recording:
            yield recording
        case path:
            try:
                found = open_recordings(
                    path,
                    model.recipe.data,
                    name=item.name,
                    rate=model.rate,
                    names=model.channel_names or None,
                    strict=strict,
                    columns=item.columns,
                )
            except InputError as error:
                raise _advised(error) from None
            yield from found


def _advised(error: InputError) -> InputError:
    """The error, with advice that who has a trained model can follow: its recipe is part of it."""
    advice = error.detail.rpartition("; ")[2]
    if not _KEY.search(advice) or "train" in advice:
        return error
    return InputError(error.path, error.code, f"{error.detail} in the recipe, and train a model with it")


def list_inputs(model: Model, inputs: Sequence[str | Path | Recording]) -> Iterator[Input]:
    """What paths, folders, patterns and recordings stand for; what cannot be had comes last."""
    yield from (Input(item.name, item) for item in inputs if isinstance(item, Recording))
    paths = [item for item in inputs if not isinstance(item, Recording)]
    faults: list[InputError] = []
    files = expand(paths, model.recipe.data, faults.append) if paths else []
    if files:
        # Names below the folder that all files share: short, and yet each of its own. Of shards as packed.
        folders = {file.folder.root if isinstance(file, PackedFile) else file.parent for file in files}
        shared = os.path.commonpath([os.path.abspath(folder) for folder in folders])  # noqa: PTH100
        for file in files:
            place = file.path if isinstance(file, PackedFile) else file
            yield Input(os.path.relpath(place, shared), file)
    yield from (Input(error.path, error) for error in faults)


def without_memory(error: Exception, name: str, config: ScoreConfig) -> Exception:
    """The error as what a user can act on, where it says that memory ran out over the input of this name."""
    if not out_of_memory(error):
        return error
    return ResourceError(
        f"{name}: out of memory; choose another --device, or train a model with a score.batch below "
        f"{config.batch}"
    )
