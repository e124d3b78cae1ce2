"""All recordings that a recipe's `data` names, opened and with the digests of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError, UsageError
from ..recipe.data import DataConfig, FileData, SyntheticData
from .conditions import require
from .digest import file_digest, recording_digest
from .discover import Report, find_files
from .manifest import Entry, read_manifest
from .open import open_recordings
from .recording import Recording
from .synthetic import make_recordings


@dataclass(frozen=True)
class Item:
    """A file and what is in it, or a made-up recording.

    Attributes:
        name: path below data.root, `/` as separator.
        path: the file; None for made-up data.
        recordings: one, or the stretches of a series between gaps, in order.
        digest, size: of the content.
        split: the part that a manifest puts it in.
    """

    name: str
    path: Path | None
    recordings: list[Recording]
    digest: str
    size: int
    split: str | None = None

    @property
    def length(self) -> int:
        """Samples from the first of the file to its last, gaps between stretches included."""
        last = self.recordings[-1]
        return last.start + last.length

    def fitted(
        self, data: DataConfig, rate: float | None, names: tuple[str, ...], channels: int, strict: bool
    ) -> Item:
        """The item with this rate, Hz, and these channels; opened anew where it has others.

        Raises InputError, also `wrong_rate` or `wrong_channels` where opening anew does not help.
        """
        if all((r.rate, r.channel_names, r.channels) == (rate, names, channels) for r in self.recordings):
            return self
        for recording in self.recordings:
            # Rates of time stamps without a unit give way to a rate that is asked for; here they must agree.
            if data.rate is None and recording.kind == "series" and not _near(recording.rate, rate):
                raise self._wrong_rate(recording.rate, rate)
        item = self
        if self.path is not None:
            found = open_recordings(
                self.path, data, name=self.name, rate=rate, names=names or None, strict=strict
            )
            for recording in found:
                recording.conditions = self.recordings[0].conditions
            item = replace(self, recordings=found)
        for recording in item.recordings:
            if recording.rate != rate:
                raise self._wrong_rate(recording.rate, rate)
            if (recording.channels, recording.channel_names) != (channels, names):
                have, want = (
                    _channels(recording.channels, recording.channel_names),
                    _channels(channels, names),
                )
                text = f"has {have}, the training data {want}; choose the same with data.channels"
                raise InputError(self.path or self.name, "wrong_channels", text)
        return item

    def _wrong_rate(self, have: float | None, want: float | None) -> InputError:
        text = f"has {_hz(have)}, the training data {_hz(want)}; set data.rate, or leave it out"
        return InputError(self.path or self.name, "wrong_rate", text)


def open_collection(data: DataConfig, strict: bool, on_error: Report) -> list[Item]:
    """Everything that can be opened, sorted by name; what cannot goes to `on_error`.

    Raises UsageError where nothing is left, naming the first fault, and InputError for a faulty manifest.
    """
    if isinstance(data, SyntheticData):
        return _made_up(data, on_error)
    faults: list[InputError] = []

    def report(error: InputError) -> None:
        faults.append(error)
        on_error(error)

    entries: dict[str, Entry] = {}
    if data.manifest is not None:
        entries = {entry.name: entry for entry in read_manifest(Path(data.root), data.manifest)}
        _check_columns(data, list(entries.values()))
    items = []
    files = find_files(data, report)
    for path in files:
        name = path.relative_to(data.root).as_posix()
        try:
            entry = entries.get(name)
            columns = None if entry is None else entry.conditions
            found = open_recordings(path, data, name=name, strict=strict, columns=columns)
            require(path, data, found[0].conditions)
            size = path.stat().st_size
            items.append(Item(name, path, found, file_digest(path), size, entry.split if entry else None))
        except InputError as error:
            report(error)
        except OSError as error:
            report(InputError(path, "unreadable", f"{error.strerror or error}; it was there a moment ago"))
    if not items:
        raise UsageError(
            f"data.root: {data.root}: none of {len(files)} files can be used; first: {faults[0]}"
        )
    return items


def _made_up(data: SyntheticData, on_error: Report) -> list[Item]:
    items = []
    for recording in make_recordings(data):
        try:
            require(recording.name, data, recording.conditions)
        except InputError as error:
            on_error(error)
            continue
        size = recording.length * recording.channels
        items.append(Item(recording.name, None, [recording], recording_digest(recording), size))
    return items


def _check_columns(data: FileData, entries: Sequence[Entry]) -> None:
    """Raise InputError where no file of the manifest has the column of a condition."""
    for name, source in data.conditions.items():
        if source.column is not None and not any(source.column in entry.conditions for entry in entries):
            raise InputError(
                Path(data.root, data.manifest or ""),
                "missing_column",
                f"has no column {source.column!r}, which data.conditions.{name} names; correct one of them",
            )


def _near(one: float | None, other: float | None) -> bool:
    """Whether two rates agree to 1%, as those of jittering time stamps do, or one is not known."""
    return one is None or other is None or abs(one - other) <= 0.01 * other


def _hz(rate: float | None) -> str:
    return "no rate" if rate is None else f"{rate:g} Hz"


def _channels(channels: int, names: tuple[str, ...]) -> str:
    listed = f" ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})" if names else ""
    return f"{channels} channel{'s' if channels != 1 else ''}{listed}"
