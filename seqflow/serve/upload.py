"""The body of a request into a file of ours, behind limits of size and time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from starlette.requests import ClientDisconnect, Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from .formats import bare, label_of, suffix_of
from .limits import Limits
from .refusal import Refusal

_SLICE = 1 << 16
_LONGEST_HEAD = 1 << 18
_LONGEST_BOUNDARY = 200


class Upload(NamedTuple):
    """A file with what was sent, the name that the client has for it, made harmless, and its bytes."""

    path: Path
    label: str
    size: int


class Uploads:
    """Files in a private folder, each with a number for a name."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._numbers = itertools.count(1)

    @contextmanager
    def place(self) -> Iterator[Path]:
        """A path without a suffix; whatever begins like it is gone afterwards."""
        path = self._folder / f"upload-{next(self._numbers)}"
        try:
            yield path
        finally:
            for found in self._folder.glob(f"{path.name}.*"):
                found.unlink(missing_ok=True)

    async def receive(self, request: Request, place: Path, name: str | None, asked: str | None) -> Upload:
        """The recording in the body: all of it, or the one file of a multipart/form-data body.

        Raises Refusal: 413 `too_large`, 408 `slow_body`, 415, 400 `bad_multipart`, 499 `disconnected`.
        """
        headers = request.headers
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, "content_encoding", "compressed bodies are not taken; send it as it is")
        if not headers.get("content-length", "0").isdecimal() or int(headers.get("content-length", "0")) > (
            self._limits.body
        ):
            raise self._too_large()
        content_type = headers.get("content-type", "")
        multipart = bare(content_type) == "multipart/form-data"
        sink = (
            _Form(place, content_type, asked, name) if multipart else _Raw(place, content_type, asked, name)
        )
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > self._limits.body:
                        raise self._too_large()
                    sink.write(chunk)
            return Upload(*sink.finish(), size)
        except TimeoutError:
            raise Refusal(
                408,
                "slow_body",
                f"the body did not arrive within {self._limits.body_seconds:g} seconds",
                close=True,
            ) from None
        except ClientDisconnect:
            raise Refusal(499, "disconnected", "the client went away", close=True) from None
        finally:
            sink.close()

    def _too_large(self) -> Refusal:
        return Refusal(413, "too_large", f"has more than {self._limits.body} bytes; cut it")


class _Raw:
    """A body that is the recording."""

    def __init__(self, place: Path, content_type: str, asked: str | None, name: str | None) -> None:
        self._label = label_of(name or "")
        self._path = place.with_suffix("." + suffix_of(asked, name or "", content_type))
        self._file: BinaryIO = self._path.open("xb")

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)

    def finish(self) -> tuple[Path, str]:
        self._file.close()
        return self._path, self._label

    def close(self) -> None:
        self._file.close()


class _Form:
    """A body with parts, one of them the recording."""

    def __init__(self, place: Path, content_type: str, asked: str | None, name: str | None) -> None:
        boundary = parse_options_header(content_type)[1].get("boundary", "")
        if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
            raise _bad("has no sound boundary")
        # What is held is a head, or less than a boundary of what follows: bodies go by in slices.
        self._decoder = MultipartDecoder(boundary.encode(), _LONGEST_HEAD, max_parts=1)
        self._place, self._asked, self._name = place, asked, name
        self._raw: _Raw | None = None
        self._done = False

    def write(self, chunk: bytes) -> None:
        for start in range(0, len(chunk), _SLICE):
            self._feed(chunk[start : start + _SLICE])

    def finish(self) -> tuple[Path, str]:
        self._feed(None)
        if self._raw is None:
            raise _bad("holds no file")
        return self._raw.finish()

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()

    def _feed(self, data: bytes | None) -> None:
        try:
            self._decoder.receive_data(data)
            while not self._done:
                event = self._decoder.next_event()
                match event:
                    case NeedData():
                        return
                    case Epilogue():
                        self._done = True
                    case Field():
                        raise _bad("holds a field without a file name; send one file")
                    case File(filename=filename, headers=headers):
                        name = self._name or filename or ""
                        content_type = headers.get("content-type", "")
                        self._raw = _Raw(self._place, content_type, self._asked, name)
                    case Data(data=part) if self._raw is not None:
                        self._raw.write(part)
        except RequestEntityTooLarge:
            raise _bad("holds more than one part, or a head of more than 256 KiB; send one file") from None
        except (ValueError, AttributeError, TypeError) as error:
            raise _bad(f"is damaged: {error}"[:200]) from None


def _bad(reason: str) -> Refusal:
    return Refusal(400, "bad_multipart", f"the multipart body {reason}")
