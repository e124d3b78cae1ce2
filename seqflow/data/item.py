"""The files of a recipe's data, with what is in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..recipe.data import DataConfig
from .open import open_recordings
from .recording import Recording
from .shard_recording import ShardRecording
from .shard_recordings import ShardRecordings

Gathered = list[Recording] | ShardRecordings


@dataclass(slots=True)
class Item:
    """A file and what is in it, or a made-up recording.

    Attributes:
        name: path below data.root, `/` as separator.
        path: the file, also where it was packed into shards; None for made-up data.
        recordings: one, or the stretches of a series between gaps, in order.
        digest, size: of the content.
        split: the part that a manifest puts it in.
    """

    name: str
    path: str | Path | None
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
        if isinstance(self.recordings[0], ShardRecording):
            for recording in self.recordings:
                if isinstance(recording, ShardRecording):
                    recording.fit(rate, names)
        elif self.path is not None:
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


class Items(Sequence[Item], ABC):
    """Files with what is in them, sorted by name, and facts of all n of them.

    An item in shards is made when it is asked for; the facts are had without.
    """

    @abstractmethod
    def names(self) -> list[str]:
        """Their names."""

    @abstractmethod
    def longest(self) -> NDArray[np.int64]:
        """(n,) samples of the longest recording of each."""

    @abstractmethod
    def splits(self) -> list[str | None]:
        """The parts that a manifest puts them in."""

    @abstractmethod
    def digests(self) -> NDArray[np.uint64]:
        """(n,) the first 8 bytes of their digests: others are of other contents."""

    @abstractmethod
    def choose(self, index: NDArray[np.int64]) -> Items:
        """These of them."""

    @abstractmethod
    def gather(self) -> Gathered:
        """No recordings; those of the items can be appended, as they are or in parts."""


class Loose(Items):
    """Items that are objects."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        return self._items[index]

    def names(self) -> list[str]:  # noqa: D102
        return [item.name for item in self._items]

    def longest(self) -> NDArray[np.int64]:  # noqa: D102
        return np.array([max(one.length for one in item.recordings) for item in self._items], np.int64)

    def splits(self) -> list[str | None]:  # noqa: D102
        return [item.split for item in self._items]

    def digests(self) -> NDArray[np.uint64]:  # noqa: D102
        return np.array([int(item.digest[:16], 16) for item in self._items], np.uint64)

    def choose(self, index: NDArray[np.int64]) -> Items:  # noqa: D102
        return Loose([self._items[i] for i in index.tolist()])

    def gather(self) -> Gathered:  # noqa: D102
        return []


def _near(one: float | None, other: float | None) -> bool:
    """Whether two rates agree to 1%, as those of jittering time stamps do, or one is not known."""
    return one is None or other is None or abs(one - other) <= 0.01 * other


def _hz(rate: float | None) -> str:
    return "no rate" if rate is None else f"{rate:g} Hz"


def _channels(channels: int, names: tuple[str, ...]) -> str:
    listed = f" ({', '.join(names[:6])}{', ...' if len(names) > 6 else ''})" if names else ""
    return f"{channels} channel{'s' if channels != 1 else ''}{listed}"
