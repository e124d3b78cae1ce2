"""Windows of recordings, in batches that depend on nothing but the seed and the step.

Shapes: see `batch`. B windows, C channels, T = window samples, N conditions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..classes import Classes
from ..errors import UsageError
from ..recipe.data import AugmentConfig
from .augment import changes, dither_addresses, kept_conditions
from .batch import Batch
from .decoded import Decoded
from .randomness import Index, permuted
from .recording import Recording, facts
from .workers import load

__all__ = ["Batch", "Short", "Windows", "count_windows"]

Short = Literal["skip", "pad"]


def count_windows(lengths: Index, window: int, hop: int, short: Short) -> Index:
    """Number of windows of recordings of these lengths (n,).

    Windows start every `hop` samples, and one more ends with the recording where the last of them does not.
    A recording shorter than a window has none (`skip`), or one that is filled up (`pad`), unless it is empty.
    """
    fits = lengths >= window
    regular = -(-(lengths - window) // hop) + 1
    filled = ((lengths > 0) & (short == "pad")).astype(np.int64)
    return np.where(fits, regular, filled)


class Windows:
    """The windows of a list of recordings. Reads no samples before a batch is asked for.

    Item i of the endless training sequence belongs to epoch i // len; every epoch goes through all windows
    in an order of its own. Batch k of size s holds items k·s .. k·s + s - 1. Order, augmentation and dither
    are functions of (seed, i): no state, so a training can go on at any step in any process, and processes
    can take a `share` of a batch each: a range of its places 0 .. s - 1. So is which of their conditions
    windows lose to `dropout`, see `kept_conditions`; `classes` says which there are.

    Raises ValueError unless 1 <= hop <= window, and UsageError for recordings of different numbers of
    channels.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        *,
        window: int,
        hop: int,
        short: Short = "skip",
        augment: AugmentConfig | None = None,
        seed: int = 0,
        cache_mb: int = 0,
        classes: Classes | None = None,
        dropout: float = 0.0,
    ) -> None:
        if not 1 <= hop <= window:
            raise ValueError(f"the hop must lie between 1 and the window of {window} samples, got {hop}")
        self.recordings = recordings
        self.window = window
        self.hop = hop
        self.channels = _channels(recordings)
        self._augment = augment
        self._seed = seed
        count = len(recordings)
        self._lengths = np.fromiter(facts(recordings, "length"), np.int64, count)
        self._starts = np.fromiter(facts(recordings, "start"), np.int64, count)
        self._steps = np.fromiter((step or 0.0 for step in facts(recordings, "step")), np.float64, count)
        counts = count_windows(self._lengths, window, hop, short)
        self._ends = np.cumsum(counts)
        self._before = self._ends - counts
        self._decoded = Decoded(recordings, cache_mb << 20)
        self.classes = classes or Classes()
        self._dropout = dropout
        width = len(self.classes.values)
        codes = chain.from_iterable(map(self.classes.codes, facts(recordings, "conditions") if width else ()))
        self._codes = np.fromiter(codes, np.int64, count * width).reshape(count, width)

    def __len__(self) -> int:
        """Number of windows, of one epoch."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def locate(self, index: Index) -> tuple[Index, Index]:
        """Recording and first sample in it, (B,) each, of the windows with these indices in file order."""
        which = np.searchsorted(self._ends, index, side="right")
        starts = (index - self._before[which]) * self.hop
        return which, np.minimum(starts, np.maximum(self._lengths[which] - self.window, 0))

    def batch(self, step: int, size: int, share: range | None = None) -> Batch:
        """Batch number `step` of `size` windows of the endless shuffled, augmented sequence; a share of it.

        Raises UsageError where there are fewer windows than a batch holds, and InputError where a file cannot
        be read.
        """
        self._check(size)
        places = range(size) if share is None else share
        item = step * size + np.arange(places.start, places.stop)
        index = permuted(self._seed, item // len(self), item % len(self), len(self))
        which, starts = self.locate(index)
        gain, shift = changes(self._augment, self._seed, item)
        room = np.maximum(self._lengths[which] - self.window, 0)
        kept = self._kept(item)
        batch = self._batch(which, np.clip(starts + shift, 0, room), gain, kept)
        return replace(batch, dither=torch.from_numpy(dither_addresses(self._seed, item)))

    def in_order(self, size: int, limit: int | None = None, share: range | None = None) -> Iterator[Batch]:
        """All windows in order and unchanged, in batches of `size`, the last of them smaller.

        With a `limit` below their number, as many windows, evenly spaced over all recordings; of these only
        those in the `share`, where one is given.
        """
        count = len(self) if limit is None else min(limit, len(self))
        places = range(count) if share is None else share
        for at in range(places.start, places.stop, size):
            item = np.arange(at, min(at + size, places.stop))
            index = item if count == len(self) else (2 * item + 1) * len(self) // (2 * count)
            which, starts = self.locate(index)
            yield self._batch(which, starts, np.ones(len(item)), None)

    def loader(
        self,
        first_step: int,
        last_step: int,
        size: int,
        workers: int = 0,
        timeout: float = 600.0,
        share: range | None = None,
    ) -> Iterator[Batch]:
        """Batches first_step .. last_step - 1, loaded ahead by `workers` processes; 0: none, in this one.

        With a `share`, that of every batch alone.

        The same batches for any number of workers. Raises what `batch` does, and ResourceError where a worker
        dies or gives nothing for `timeout` seconds.
        """
        self._check(size)
        steps = range(first_step, last_step)
        if workers == 0:
            return (self.batch(step, size, share) for step in steps)
        return load(partial(self.batch, size=size, share=share), steps, workers, timeout)

    def _check(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"a batch holds at least 1 window, got {size}")
        if len(self) < size:
            raise UsageError(
                f"train.batch: the training data hold {len(self)} windows of {self.window} samples, fewer "
                f"than a batch of {size}; lower train.batch, data.hop or data.window, or add data"
            )

    def _kept(self, item: Index) -> NDArray[np.bool_] | None:
        """Which conditions of each window are told, (B, N); None for all."""
        if not self.classes or not self._dropout:
            return None
        return kept_conditions(self._dropout, len(self.classes.values), self._seed, item)

    def _batch(
        self,
        which: Index,
        starts: Index,
        gain: NDArray[np.float64],
        kept: NDArray[np.bool_] | None,
    ) -> Batch:
        size = len(which)
        x = np.zeros((size, self.channels, self.window), np.float32)
        mask = np.zeros((size, self.window), np.bool_)
        for i, (index, start) in enumerate(zip(which.tolist(), starts.tolist(), strict=True)):
            values, valid = self._decoded.read(index, start, self.window)
            n = values.shape[1]
            np.multiply(values, np.float32(gain[i]), out=x[i, :, :n])
            mask[i, :n] = valid
        position, step = self._starts[which] + starts, self._steps[which]
        return Batch(
            torch.from_numpy(x),
            torch.from_numpy(mask),
            torch.from_numpy(position),
            torch.from_numpy((step * np.abs(gain)).astype(np.float32)),
            self._spans(which, starts, kept),
            self._condition(which, kept),
        )

    def _spans(self, which: Index, starts: Index, kept: NDArray[np.bool_] | None) -> torch.Tensor:
        """Begin and end of each window as fractions; a window that loses all conditions loses this too."""
        lengths = self._lengths[which]
        span = np.stack((starts, starts + self.window), 1) / lengths[:, None]
        if kept is not None:
            span[~kept.any(1)] = 0.0
        return torch.from_numpy(span.astype(np.float32))

    def _condition(self, which: Index, kept: NDArray[np.bool_] | None) -> torch.Tensor | None:
        if not self.classes:
            return None
        codes = self._codes[which]
        return torch.from_numpy(self.classes.one_hot(codes if kept is None else np.where(kept, codes, -1)))


def _channels(recordings: Sequence[Recording]) -> int:
    """Number of channels that all recordings share; 0 for no recordings."""
    if not len(recordings):
        return 0
    channels = facts(recordings, "channels")
    for index, count in enumerate(channels):
        if count != channels[0]:
            raise UsageError(
                f"{recordings[index].name}: has {count} channels, {recordings[0].name} has {channels[0]}; "
                "choose the same with data.channels"
            )
    return int(channels[0])
