"""How an upload is read: by a suffix of ours, found in what the client says of it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ..errors import one_line
from .refusal import Refusal

SUFFIXES = ("wav", "flac", "ogg", "opus", "mp3", "aiff", "w64", "rf64", "csv", "tsv", "parquet", "npy")
_TYPES = {
    **dict.fromkeys(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"), "wav"),
    **dict.fromkeys(("audio/flac", "audio/x-flac"), "flac"),
    **dict.fromkeys(("audio/ogg", "application/ogg"), "ogg"),
    "audio/opus": "opus",
    "audio/mpeg": "mp3",
    **dict.fromkeys(("audio/aiff", "audio/x-aiff"), "aiff"),
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    **dict.fromkeys(("application/vnd.apache.parquet", "application/x-parquet"), "parquet"),
    **dict.fromkeys(("application/x-npy", "application/vnd.numpy"), "npy"),
}
_LONGEST = 120


def suffix_of(asked: str | None, name: str, content_type: str) -> str:
    """The suffix: what is asked for, else that of the name, else that of the content type.

    Raises Refusal 415 where none of them is known.
    """
    if asked is not None and asked in SUFFIXES:
        return asked
    if asked is None:
        own = PurePosixPath(name).suffix.lower().removeprefix(".")
        found = own if own in SUFFIXES else _TYPES.get(bare(content_type))
        if found is not None:
            return found
    raise Refusal(
        415,
        "unknown_format",
        f"cannot tell what is sent; add ?format= with one of {', '.join(SUFFIXES)}, or a content type",
    )


def label_of(name: str) -> str:
    """The last part of a client's name for a file, on one line and not long: shown, never opened."""
    last = re.split(r"[/\\]", name)[-1]
    # A lone surrogate or a control character has no place in JSON or logs.
    return one_line(last)[:_LONGEST] or "recording"


def bare(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()
