"""Lists of files: CSV with a header, or one JSON object a line.

Columns: `path`, relative to data.root; `split`, optional: train, valid, calibration, test, or empty for what
the recipe says; any others are kept as text.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NoReturn, TextIO

from ..errors import InputError

SPLITS = ("train", "valid", "calibration", "test")
_LONGEST_LINE = 1 << 16
_LARGEST = 1 << 30


@dataclass(frozen=True)
class Entry:
    """A file of a manifest.

    Attributes:
        name: path below the root, `/` as separator.
        split: the part it belongs to; None where the manifest says nothing.
        line: line of the manifest, from 1.
        conditions: the other columns.
    """

    name: str
    split: str | None
    line: int
    conditions: Mapping[str, str]


def read_manifest(
    root: Path, manifest: str, on_absent: Callable[[InputError], None] | None = None
) -> list[Entry]:
    """The entries of a manifest, itself a path below root, in its order.

    A file whose first line begins with `{` holds JSON lines, any other CSV. Every file must be there, be a
    regular file and lie below root, links followed. With `on_absent` that gets an error on each that is not
    there or not a regular file; it is left out.

    Raises InputError on the first fault, as `manifest:line`: `outside_root` (absolute paths, `..`, links out
    of root), `unreadable`, `not_a_file`, `duplicate`, `unknown_split`, `missing_column`, `ragged`, `corrupt`,
    `too_large`, `empty`.
    """
    where = root / manifest
    check = _Check(where, root, on_absent)
    check.name(0, manifest)
    try:
        if not where.is_file():
            raise InputError(
                where, "not_a_file", "the manifest must be a file below data.root; correct the name"
            )
        if where.stat().st_size > _LARGEST:
            raise InputError(where, "too_large", "has more than 1 GiB; split the manifest")
        # Names that are not UTF-8 come through as the file system hands them out.
        with where.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            found = [check.entry(line, row) for line, row in _rows(where, file)]
    except OSError as error:
        raise InputError(where, "unreadable", f"{error.strerror or error}; check permissions") from None
    if not found:
        raise InputError(where, "empty", "lists no files; add some, or remove data.manifest")
    return [entry for entry in found if entry is not None]


def is_below(path: str, root: str) -> bool:
    """Whether one path lies below another; of both the real ones, without links."""
    return path.startswith(root.rstrip("/") + "/")


class _Check:
    """Rows of a manifest to entries; remembers which names it has seen."""

    def __init__(self, where: Path, root: Path, on_absent: Callable[[InputError], None] | None) -> None:
        self._where = where
        self._given = root
        self._root = os.path.realpath(root)
        self._on_absent = on_absent
        self._folders: dict[str, str] = {}
        self._seen: dict[str, int] = {}

    def entry(self, line: int, row: dict[str, str]) -> Entry | None:
        """An entry; None for a file that was reported as absent."""
        if "path" not in row:
            self._refuse(line, "missing_column", "has no `path`; add it")
        name = self.name(line, row.pop("path"))
        split = row.pop("split", "").strip() or None
        if split is not None and split not in SPLITS:
            self._refuse(line, "unknown_split", f"split {split[:40]!r} must be one of {', '.join(SPLITS)}")
        if name in self._seen:
            self._refuse(line, "duplicate", f"{name!r} stands in line {self._seen[name]} already; remove one")
        self._seen[name] = line
        fault = self._fault(line, name)
        if fault is None:
            return Entry(name, split, line, row)
        code, message = fault
        if self._on_absent is None:
            self._refuse(line, code, message)
        self._on_absent(InputError(self._given / name, code, f"line {line} of {self._where}: {message}"))
        return None

    def name(self, line: int, text: str) -> str:
        """The normal form of a path below root."""
        path = PurePosixPath(text)
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            self._refuse(line, "unreadable", "has a path that no file can have; correct it")
        if not path.parts or "\0" in text:
            self._refuse(line, "unreadable", "has an empty path; name a file below data.root")
        if path.is_absolute() or PureWindowsPath(text).is_absolute() or ".." in path.parts:
            self._refuse(line, "outside_root", f"{text[:200]!r} must be relative to data.root, without ..")
        return str(path)

    def _fault(self, line: int, name: str) -> tuple[str, str] | None:
        """Code and message where the file is not there, or is none. One outside root is refused."""
        folder, _, last = name.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(os.path.join(self._root, folder))  # noqa: PTH118
        path = os.path.join(self._folders[folder], last)  # noqa: PTH118
        real = os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114
        if not is_below(real, self._root):
            self._refuse(line, "outside_root", f"{name!r} is a link out of data.root; copy the file there")
        if not os.path.exists(real):  # noqa: PTH110
            return "unreadable", f"there is no file {name!r} below {self._root}; correct the path"
        if not os.path.isfile(real):  # noqa: PTH113
            return "not_a_file", f"{name!r} is no file; list the files themselves"
        return None

    def _refuse(self, line: int, code: str, message: str) -> NoReturn:
        raise InputError(f"{self._where}:{line}" if line else self._where, code, message)


def _rows(where: Path, file: TextIO) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, columns) of every entry."""
    lines = _Lines(where, file)
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        yield from _json_rows(where, lines, first)
    elif first:
        yield from _csv_rows(where, lines, first)


class _Lines:
    """Lines of bounded length, and the number of the last one, from 1."""

    def __init__(self, where: Path, file: TextIO) -> None:
        self._where, self._file = where, file
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > _LONGEST_LINE:
            raise InputError(
                f"{self._where}:{self.number}", "too_large", f"has more than {_LONGEST_LINE} characters"
            )
        return line


def _json_rows(where: Path, lines: _Lines, line: str) -> Iterator[tuple[int, dict[str, str]]]:
    while True:
        if line.strip():
            place = f"{where}:{lines.number}"
            try:
                row = json.loads(line, object_pairs_hook=_object)
            except (ValueError, RecursionError) as error:
                raise InputError(
                    place, "corrupt", f"is no JSON object: {str(error)[:80]}; correct it"
                ) from None
            if not isinstance(row, dict):
                raise InputError(place, "corrupt", "is no JSON object; write {...} on every line")
            yield lines.number, {key: _text(place, key, value) for key, value in row.items()}
        try:
            line = next(lines)
        except StopIteration:
            return


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise ValueError("a key twice")
    return row


def _text(place: str, key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if key in ("path", "split") and value is not None:
        raise InputError(place, "corrupt", f"{key} must be text; put it in quotes")
    return "" if value is None else json.dumps(value)


def _csv_rows(where: Path, lines: _Lines, first: str) -> Iterator[tuple[int, dict[str, str]]]:
    header: list[str] | None = None
    begin = lines.number
    reader = csv.reader(_from(first, lines), strict=True)
    try:
        for row in reader:
            place, begin = begin, lines.number + 1
            if header is None:
                header = [name.strip() for name in row]
                if "path" not in header or len(set(header)) < len(header):
                    fault = "has no column `path`" if "path" not in header else "has a column twice"
                    raise InputError(f"{where}:{place}", "missing_column", f"{fault}; correct the header")
            elif row:
                if len(row) != len(header):
                    text = f"has {len(row)} fields, the header {len(header)}; correct it"
                    raise InputError(f"{where}:{place}", "ragged", text)
                yield place, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise InputError(f"{where}:{lines.number}", "corrupt", f"is no CSV: {error}; correct it") from None


def _from(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
