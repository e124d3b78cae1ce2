"""What is known of the recordings in shards, as arrays, and checked: no index makes anyone read elsewhere.

Shapes: n rows, one a recording; P pieces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .shard_columns import Coded, Names, Numbers
from .shard_files import ShardFiles
from .shard_format import INDEX_SCHEMA, LARGEST_PIECE, TYPES, Header
from .shard_index import corrupt_index, index_batches

_NUMBERS = ("stretch", "channels", "length", "start", "rate", "step", "size")
_CODED = ("kind", "channel_names", "status", "detail", "split", "declared")
_OPTIONAL = {"rate", "step", "split", "declared"}
# Neither the name of a file below a folder, nor of one output: empty parts, `.`, `..`, and zeros.
_STRANGE = r"(^|/)\.{0,2}(/|$)|\x00"
_MOST_CHANNELS, _MOST_SAMPLES = 1 << 16, 1 << 40
_ITEM = np.array([dtype.itemsize for dtype in TYPES])
_KEYS = ("columns", "sidecar")


class ShardTable:
    """The rows of the index of a folder, sorted by name: stretches of a file follow each other.

    Attributes:
        names: of the files; stretch: (n,) from 1, of a file that was split at gaps; 0 for a whole one.
        channels, length, start, size: (n,); rate, step: (n,), NaN for none; double: (n,) bool.
        kind, channel_names, status, detail, split: values by row; declared: (columns, sidecar), by row.
        digest: (n, 32) bytes. pieces: (n + 1,) number of the first of each row. files: the samples.

    Raises InputError `corrupt` or `unreadable`, for the index.
    """

    def __init__(self, root: Path, header: Header) -> None:
        self.root = root
        self.names = Names()
        numbers, coded = {key: Numbers() for key in _NUMBERS}, {key: Coded() for key in _CODED}
        places = {field.name: Numbers() for field in INDEX_SCHEMA.field("pieces").type.value_type}
        double, counts = Numbers(), Numbers()
        digests: list[bytes] = []
        last: tuple[bytes, int] = (b"", 0)
        for batch in index_batches(root, header):
            last = self._check_names(batch, last)
            self.names.add(batch.column("name"))
            for key, column in numbers.items():
                column.add(batch.column(key))
            for key, texts in coded.items():
                texts.add(batch.column(key))
            double.add(batch.column("double"))
            digest = batch.column("digest")
            digests.append(digest.buffers()[1][32 * digest.offset :][: 32 * len(digest)].to_pybytes())
            pieces = batch.column("pieces")
            counts.add(pa.array(np.diff(pieces.offsets.to_numpy())))
            flat = pieces.flatten()
            if flat.null_count or any(flat.field(key).null_count for key in places):
                raise corrupt_index(root, "has pieces that lie nowhere")
            for key, column in places.items():
                column.add(flat.field(key))
        self.names.done()
        self.stretch, self.channels, self.length, self.start, self.rate, self.step, self.size = (
            numbers[key].done() for key in _NUMBERS
        )
        self.kind, self.channel_names, self.status, self.detail, self.split, self.declared = (
            coded[key].done() for key in _CODED
        )
        self.double = double.done()
        self.digest = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
        self.pieces = np.concatenate([[0], np.cumsum(counts.done(), dtype=np.int64)])
        self.files = ShardFiles(root, header.shards, {key: one.done() for key, one in places.items()})
        self._check_values()
        self._check_pieces()
        self.declared.values = [self._parsed(text) for text in self.declared.values]

    def __len__(self) -> int:
        return len(self.length)

    def path(self, row: int) -> str:
        """The file of a row as if it lay in the folder."""
        return f"{self.root}/{self.names[row]}"

    def number(self, column: NDArray[Any], row: int) -> float | None:
        """A number that may be missing."""
        value: float = column.item(row)
        return None if value != value else value

    def _check_names(self, batch: pa.RecordBatch, last: tuple[bytes, int]) -> tuple[bytes, int]:
        """The last name and stretch of a batch whose names are sorted, each once but for its stretches."""
        for key in INDEX_SCHEMA.names:
            if batch.column(key).null_count and key not in _OPTIONAL:
                raise corrupt_index(self.root, f"has rows without {key}")
        if not len(batch):
            return last
        names, stretch = batch.column("name"), batch.column("stretch").to_numpy()
        if pc.any(pc.match_substring_regex(names, _STRANGE)).as_py():
            raise corrupt_index(self.root, "has names that no file below a folder has")
        before = pa.concat_arrays([pa.array([last[0]], pa.binary()), names.slice(0, len(names) - 1)])
        first = np.concatenate([[last[1]], stretch[:-1]])
        rising = pc.less(before, names).to_numpy(zero_copy_only=False)
        same = pc.equal(before, names).to_numpy(zero_copy_only=False)
        fresh = rising & ((stretch == 0) | (stretch == 1))
        if not (fresh | (same & (first > 0) & (stretch == first + 1))).all():
            raise corrupt_index(self.root, "has names that are there twice, or not in order")
        return names[-1].as_py(), int(stretch[-1])

    def _check_values(self) -> None:
        with np.errstate(invalid="ignore"):
            sound = (
                len(self) > 0
                and ((self.channels > 0) & (self.channels <= _MOST_CHANNELS)).all()
                and all(((one >= 0) & (one < _MOST_SAMPLES)).all() for one in (self.length, self.start))
                and (self.size >= 0).all()
                and all(
                    (np.isnan(one) | ((one > 0) & (one < np.inf))).all() for one in (self.rate, self.step)
                )
            )
        if not sound:
            raise corrupt_index(self.root, "has numbers that no recording has")
        if strange := {*self.kind.values} - {"audio", "series"}:
            raise corrupt_index(self.root, f"there is no {strange.pop()[:20]!r}")
        named = np.array([len(names) for names in self.channel_names.values])[self.channel_names.codes]
        if not ((named == 0) | (named == self.channels)).all():
            raise corrupt_index(self.root, "names other channels than there are")

    def _check_pieces(self) -> None:
        """Raise InputError unless pieces follow each other and lie in the shards, no two in one place."""
        p, count = self.files.pieces, np.diff(self.pieces)
        row = np.repeat(np.arange(len(self)), count)
        types, shards = p["type"], p["shard"]
        frames, begin = p["frames"].astype(np.int64), p["begin"].astype(np.int64)
        sound = bool(
            ((types >= 0) & (types < len(TYPES))).all()
            and ((shards >= 0) & (shards < len(self.files.sizes))).all()
            and ((frames > 0) & (frames < _MOST_SAMPLES)).all()
        )
        if sound and len(row):
            size = frames * self.channels[row] * _ITEM[types]
            first = np.concatenate([[True], row[1:] != row[:-1]])
            expected = np.where(first, 0, np.concatenate([[0], (begin + frames)[:-1]]))
            labelled = p["labels"] >= 0
            sound = bool(
                (size <= LARGEST_PIECE).all()
                and (begin == expected).all()
                and (begin + frames <= self.length[row]).all()
                and (p["labels"] >= -1).all()
                and (first | (labelled == np.concatenate([[True], labelled[:-1]]))).all()
                and self._apart(shards, p["samples"], size, p["labels"], frames)
            )
        if not sound:
            raise corrupt_index(self.root, "names samples that no shard holds")

    def _apart(
        self,
        shards: NDArray[Any],
        samples: NDArray[Any],
        size: NDArray[Any],
        labels: NDArray[Any],
        frames: Any,
    ) -> bool:
        """Whether samples and labels lie in their shards, and apart from each other."""
        some = np.flatnonzero(labels >= 0)
        shard = np.concatenate([shards, shards[some]]).astype(np.int64)
        begin = np.concatenate([samples, labels[some]]).astype(np.int64)
        room = np.array(self.files.sizes, np.int64)[shard]
        length = np.concatenate([size, frames[some]])
        if not ((begin >= 0) & (length <= room) & (begin <= room - length)).all():
            return False
        order = np.lexsort((begin, shard))
        shard, begin, end = shard[order], begin[order], (begin + length)[order]
        return bool(((shard[1:] > shard[:-1]) | (begin[1:] >= end[:-1])).all())

    def _parsed(self, text: str | None) -> Sequence[Mapping[str, str]]:
        """What is declared about a file: by columns of a manifest, and by its sidecar."""
        try:
            document = json.loads(text) if text else {}
            found = [dict(document.get(key, {})) for key in _KEYS]
            if all(isinstance(value, str) for one in found for value in one.values()):
                return found
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass
        raise corrupt_index(self.root, "declares what is no text")
