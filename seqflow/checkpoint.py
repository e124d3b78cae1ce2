"""One file that holds tensors and a description, and is refused when a single bit of it has changed.

The container is safetensors: a JSON header and raw numbers, no code. Its one metadata entry is a JSON text,
`{"digest": D, "digests": {tensor: sha256 of its bytes}, "format": ..., "version": 1, ...}`, in which D is the
sha256 of the whole header with zeros in the place of D. Every byte of the file is thereby accounted for.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from .errors import CheckpointError
from .files import atomic

VERSION = 1
MOST_HEADER = 32 << 20
"""Bytes of the longest header that is read."""
MOST_DATA = 64 << 30
"""Bytes of the largest file that is read."""

_ZEROS = "0" * 64
# How every file of this program begins, behind the 8 bytes with the length of the header.
_START = b'{"__metadata__":{"seqflow":"{\\"digest\\":\\"'
_DIGEST = slice(len(_START), len(_START) + len(_ZEROS))
_FORMATS = {
    "seqflow-model": "a model",
    "seqflow-training": "the state of a training",
    "seqflow-batch": "a batch of windows",
    "seqflow-stream": "the state of a stream",
}


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and `meta`, whole or not at all; equal arguments give equal bytes.

    `meta` is plain JSON with a key `format` (one of seqflow-model, -training, -batch, -stream), without
    NaN. Raises ResourceError where the file cannot be written; what was there before is then untouched.
    """
    if meta["format"] not in _FORMATS:
        raise ValueError(f"unknown format {meta['format']!r}")
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    digests = {name: _digest(tensor) for name, tensor in sorted(plain.items())}
    # The digest comes first, so that it has one place.
    content = {"digest": _ZEROS, "version": VERSION, **meta, "digests": digests}
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    blob = bytearray(save_tensors(plain, {"seqflow": text}))
    end = 8 + int.from_bytes(blob[:8], "little")
    if not blob.startswith(_START, 8):
        raise RuntimeError("safetensors lays its header out in a way this program does not know")
    if end - 8 > MOST_HEADER:
        raise ValueError(f"a header of {end - 8} bytes, the most is {MOST_HEADER}")
    at = 8 + _DIGEST.start
    blob[at : at + len(_ZEROS)] = hashlib.sha256(blob[:end]).hexdigest().encode()
    with atomic(path) as file:
        file.write(blob)


def read_checkpoint(path: Path, expect: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and description of a file of `write_checkpoint`.

    Sizes are checked before memory is taken, and every digest before anything is handed out. Raises
    CheckpointError for everything that is not a whole, unchanged file of this version and, where given, of
    the format `expect`.
    """
    try:
        # A pipe would be waited for, and a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CheckpointError(f"{path}: is not a file; give a .safetensors file of seqflow")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header = _read_header(path, file, size)
            meta = _check_header(path, header, size, expect)
            data = file.read(size - 8 - len(header))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CheckpointError(f"{path}: cannot be read: {reason}") from None
    try:
        tensors = load_tensors(len(header).to_bytes(8, "little") + header + data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from None
    digests = meta.pop("digests")
    if not isinstance(digests, dict) or digests.keys() != tensors.keys():
        raise _damaged(path, "its tensors are not those it names")
    for name, tensor in tensors.items():
        if _digest(tensor) != digests[name]:
            raise _damaged(path, f"tensor {name} does not fit its digest")
    # Arithmetic on memory that is aligned otherwise may round otherwise: copies, laid out as torch does it.
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    return copies, {key: value for key, value in meta.items() if key not in ("digest", "version")}


def _read_header(path: Path, file: BinaryIO, size: int) -> bytes:
    """The header, once everything is excluded that it would be wrong or costly to read."""
    if size == 0:
        raise CheckpointError(f"{path}: is empty; take another checkpoint")
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or not _DIGEST.stop <= length <= MOST_HEADER:
        raise _stranger(path, start)
    if size > MOST_DATA:
        raise CheckpointError(f"{path}: has {size} bytes; the most that is read is {MOST_DATA}")
    header = file.read(length)
    if not header.startswith(_START[: len(header)]):
        raise _stranger(path, start)
    if len(header) < length:
        raise CheckpointError(f"{path}: is cut short in its header; take another checkpoint")
    return header


def _check_header(path: Path, header: bytes, size: int, expect: str | None) -> dict[str, Any]:
    """The description, from a header that is what was written."""
    blank = bytearray(header)
    blank[_DIGEST] = _ZEROS.encode()
    found = hashlib.sha256(len(header).to_bytes(8, "little") + blank).hexdigest().encode()
    if found != header[_DIGEST]:
        raise _damaged(path, "its header does not fit its digest")
    # Only now is anything parsed. Whoever made the digest fit may still mean harm: hence the errors below.
    try:
        entries = json.loads(header)
        meta = json.loads(entries["__metadata__"]["seqflow"])
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        declared = max(ends, default=0)
        version, kind, _ = meta["version"], meta["format"], meta["digests"]
        missing = declared - (size - 8 - len(header))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise _damaged(path, "its header makes no sense") from None
    if version != VERSION:
        raise CheckpointError(
            f"{path}: has version {version!r:.20}, this program reads {VERSION}; "
            "use the seqflow that wrote it"
        )
    if expect is not None and kind != expect:
        is_ = _FORMATS.get(kind, "something else") if isinstance(kind, str) else "something else"
        raise CheckpointError(f"{path}: is {is_}, not {_FORMATS[expect]}")
    if missing > 0:
        raise CheckpointError(
            f"{path}: is cut short: {size} of {size + missing} bytes are there; take another checkpoint"
        )
    if missing < 0:
        raise _damaged(path, f"has {-missing} bytes too many")
    return dict(meta)


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU, without gradient, memory of its own."""
    copy = torch.empty(tensor.shape, dtype=tensor.dtype)
    return copy.copy_(tensor.detach())


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def _stranger(path: Path, start: bytes) -> CheckpointError:
    if start.startswith((b"PK", b"\x80")):
        return CheckpointError(
            f"{path}: is a pickle, as torch.save writes, which can run code and is never loaded; "
            "give a .safetensors file of seqflow"
        )
    return CheckpointError(f"{path}: is not a checkpoint of seqflow")


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(f"{path}: is damaged: {reason}; take another checkpoint")
