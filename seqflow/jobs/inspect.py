"""Figures of recordings in files: format, level and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ..data.discover import expand
from ..data.inspect import Inspection, inspect, inspect_recording
from ..data.open import SERIES_SUFFIXES, open_recordings
from ..data.packed import PackedFile
from ..errors import InputError
from ..recipe import DataConfig, SeriesData, SyntheticData

Found = Inspection | InputError

# Of no kind in particular: the suffix of a file says how it is read. Gaps are figures here, no faults.
_ANY = SyntheticData(kind="synthetic", generator="sine", window=2)
_SERIES = SeriesData(kind="series", root=".", window=2, irregular="mask")


def inspect_paths(
    paths: Sequence[str | Path],
    config: DataConfig | None = None,
    *,
    on_result: Callable[[Found, int, int], None] | None = None,
) -> list[Found]:
    """Look at files, folders (all recordings below, or in shards) and patterns, as a recipe's `data` says.

    Without a config every file is read by its suffix, with defaults, and what is packed is shown as it is,
    each stretch between gaps. A file that cannot be read has its
    InputError in the place of figures. `on_result` gets each, the number done, and of all. Raises nothing
    but what `on_result` raises, and UsageError where shards were packed otherwise than the config reads.
    """
    faults: list[InputError] = []
    files = expand(paths, config or _ANY, faults.append)
    found: list[Found] = []
    total = len(faults) + sum(file.last - file.first if isinstance(file, PackedFile) else 1 for file in files)
    for one in chain(chain.from_iterable(_look(file, config) for file in files), faults):
        found.append(one)
        if on_result is not None:
            on_result(one, len(found), total)
    return found


def exit_code(found: Sequence[Found]) -> int:
    """0 where all could be read, 4 where none could, else 3."""
    failed = sum(isinstance(one, InputError) for one in found)
    return 0 if not failed else 4 if failed == len(found) else 3


def _look(file: Path | PackedFile, config: DataConfig | None) -> Iterator[Found]:
    if isinstance(file, PackedFile):
        try:
            opened = file.recordings() if config is None else open_recordings(file, config)
        except InputError as error:
            yield from [error] * (file.last - file.first)
            return
        for recording in opened:
            try:
                yield inspect_recording(recording)
            except InputError as error:
                yield error
        return
    if config is None:
        config = _SERIES if file.suffix.lower() in SERIES_SUFFIXES else _ANY
    try:
        yield inspect(file, config)
    except InputError as error:
        yield error
