"""Which files there are: those a recipe names, and those a command line names.

Names are compared and sorted as bytes, so any name works, in any locale. Hidden files and folders are passed
over, links to folders are not followed: no loops, nothing twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import InputError, UsageError
from ..recipe.data import AudioData, DataConfig, SeriesData
from .globs import Globs
from .manifest import is_below, read_manifest
from .open import AUDIO_SUFFIXES, SERIES_SUFFIXES
from .packed import PackedFile, PackedFolder
from .shard_format import is_sharded

Files = AudioData | SeriesData

Report = Callable[[InputError], None]
"""What to do with a file or folder that cannot be used while the search goes on."""


def raise_it(error: InputError) -> None:
    """The Report that ends the search."""
    raise error


def find_files(config: Files, on_error: Report = raise_it) -> list[Path]:
    """The files of a recipe's `data`, sorted by name: those of its manifest, or those of its patterns.

    By pattern, only regular files below data.root: a link that leads out of it, or nowhere, a pipe, or a
    folder that cannot be listed goes to `on_error`.

    Raises UsageError where data.root is no folder or no file is found, and InputError for a faulty manifest.
    """
    root = config.root
    if not os.path.isdir(root):  # noqa: PTH112
        raise UsageError(
            f"data.root: {root}: there is no such folder; set it to the folder of the recordings"
        )
    if config.manifest is not None:
        entries = read_manifest(Path(root), config.manifest)
        names = [entry.name for entry in entries]
    else:
        wanted, real = Globs(config.files), os.path.realpath(root)
        names = [
            name
            for name, entry in walk(root, on_error)
            if wanted.match(name) and _usable(entry, on_error, inside=real)
        ]
    excluded = Globs(config.exclude)
    found = sorted((name for name in names if not excluded.match(name)), key=os.fsencode)
    if not found:
        raise UsageError(_nothing(config, excluded))
    return [Path(root, name) for name in found]


def expand(
    paths: Sequence[str | Path], config: DataConfig, on_error: Report = raise_it
) -> list[Path | PackedFile]:
    """The files that paths of a command line stand for, sorted, each once.

    A folder stands for all files below it with a suffix of the recipe's kind of data; one of shards for those
    of that kind packed in it; a pattern, where no file has that name, for all that match. Any other path is
    kept as it is, also where nothing is there: who opens it says why it cannot be used. Folders and patterns
    without files, and without another fault, go to `on_error` as `no_files`, shards that are damaged as what
    they are.
    """
    found: dict[bytes, Path | PackedFile] = {}
    for path in paths:
        inside = (
            _packed(Path(path), config, on_error)
            if is_sharded(path)
            else map(Path, _expanded(os.fspath(path), _suffixes(config), on_error))
        )
        for file in inside:
            place = file.path if isinstance(file, PackedFile) else file
            found.setdefault(os.fsencode(os.path.abspath(place)), file)  # noqa: PTH100
    return [found[key] for key in sorted(found)]


def _packed(root: Path, config: DataConfig, on_error: Report) -> Iterator[PackedFile]:
    try:
        folder = PackedFolder(root)
    except InputError as error:
        return on_error(error)
    kinds = {config.kind} & {"audio", "series"} or {"audio", "series"}
    if not kinds & {*folder.table.kind.values}:
        on_error(InputError(root, "no_files", f"holds no {config.kind} recordings; check the path"))
    yield from (file for file in folder.files() if file.kind in kinds)


def walk(root: str, on_error: Report = raise_it) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below a folder but folders: the name relative to it, `/` as separator, in no order."""
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, f"{prefix}{entry.name}/"))
                    else:
                        yield f"{prefix}{entry.name}", entry
        except OSError as error:
            reason = error.strerror or str(error)
            on_error(
                InputError(folder, "unreadable", f"folder cannot be listed: {reason}; check permissions")
            )


def _usable(entry: os.DirEntry[str], on_error: Report, inside: str | None = None) -> bool:
    """Whether it is a regular file, or a link to one below the folder `inside`; reports what is not."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if os.path.isdir(target):  # noqa: PTH112
            return False
        if not os.path.exists(target):  # noqa: PTH110
            on_error(InputError(entry.path, "unreadable", "is a link that leads nowhere; remove it"))
            return False
        if inside is not None and not is_below(target, inside):
            on_error(
                InputError(entry.path, "outside_root", "is a link out of data.root; copy the file there")
            )
            return False
        if os.path.isfile(target):  # noqa: PTH113
            return True
    elif entry.is_file(follow_symlinks=False):
        return True
    on_error(InputError(entry.path, "not_a_file", "is a pipe, a socket or a device; leave it out"))
    return False


def _suffixes(config: DataConfig) -> frozenset[str]:
    if isinstance(config, AudioData):
        return AUDIO_SUFFIXES
    return SERIES_SUFFIXES if isinstance(config, SeriesData) else AUDIO_SUFFIXES | SERIES_SUFFIXES


def _expanded(path: str, suffixes: frozenset[str], on_error: Report) -> Iterator[str]:
    folder, pattern = path, ""
    if not os.path.isdir(path):  # noqa: PTH112
        folder, pattern = _magic(path)
        if not pattern or os.path.lexists(path):
            yield path
            return
    wanted, count, faults = Globs([pattern] if pattern else []), 0, 0

    def report(error: InputError) -> None:
        nonlocal faults
        faults += 1
        on_error(error)

    for name, entry in walk(folder or ".", report):
        suited = wanted.match(name) if pattern else os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
        if suited and _usable(entry, report):
            count += 1
            yield os.path.join(folder, name)  # noqa: PTH118
    if not count and not faults:
        what = "no file matches" if pattern else f"holds no file of {', '.join(sorted(suffixes))}"
        on_error(InputError(path, "no_files", f"{what}; check the path"))


def _magic(path: str) -> tuple[str, str]:
    """A path as the folder before its first part with a wildcard, and the pattern from there on."""
    parts = path.split("/")
    for i, part in enumerate(parts):
        if any(c in part for c in "*?["):
            return "/".join(parts[:i]) or ("/" if i else ""), "/".join(parts[i:])
    return path, ""


def _nothing(config: Files, excluded: Globs) -> str:
    """Why no file is found."""
    if config.manifest is not None:
        return f"data.manifest: {config.manifest}: data.exclude leaves none of its files"
    patterns, where = ", ".join(config.files), f"data.files: {config.root}"
    faults: list[InputError] = []
    names = [name for name, _ in walk(config.root, faults.append)]
    if faults:
        return f"{where}: no file that can be used matches {patterns}; first: {faults[0]}"
    if any(map(Globs(config.files).match, names)):
        return f"{where}: no file that matches {patterns} can be used, or data.exclude leaves none"
    if any(map(Globs(config.files, ignore_case=True).match, names)):
        return f"{where}: files match {patterns} but for upper and lower case; correct the patterns"
    return f"{where}: none of {len(names)} files matches {patterns}; correct data.files or data.root"
