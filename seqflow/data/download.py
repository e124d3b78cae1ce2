"""Fetching of public data sets, only when asked for."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import InputError, ResourceError, UsageError
from ..files import make_folder, write_text
from .archive import unpack
from .catalog import CATALOG, PublicSet
from .globs import Globs

Progress = Callable[[int, int], None]
"""(bytes done, bytes of the whole)"""

_BLOCK = 1 << 18
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Downloaded:
    """What has arrived.

    Attributes:
        folder: where the files are.
        root: data.root for the recipe.
        files: their number.
        sha256: hex digest of the archive.
        verified: whether it was compared with a published checksum, and agreed.
    """

    folder: Path
    root: Path
    files: int
    sha256: str
    verified: bool


def download(
    what: str | PublicSet, out: Path, on_progress: Progress | None = None, *, checksum: str | None = None
) -> Downloaded:
    """Fetch a data set and unpack it into the folder out/name, which appears whole or not at all.

    The archive must agree with the checksum of the catalog, or the one given. Where there is neither, it is
    taken on trust: `verified` is false, and the digest found is kept in `source.json` with the address and
    the licence, to be given as `checksum` the next time.

    Raises UsageError for a name that is not in the catalog, an address that is not https, or a folder that
    is there already; InputError `unreachable`, `too_large`, `wrong_digest` or what `unpack` raises;
    ResourceError where the disk is full.
    """
    entry = CATALOG.get(what) if isinstance(what, str) else what
    if entry is None:
        raise UsageError(f"there is no data set {what!r}; there are {', '.join(CATALOG)}")
    folder = out / entry.name
    if folder.exists():
        raise UsageError(f"{folder}: is there already; remove it, or choose another folder")
    expected = checksum or entry.checksum
    make_folder(out)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{entry.name}.", dir=out) as scratch:
            archive, fresh = Path(scratch, "archive"), Path(scratch, "files")
            digests = _fetch(entry, archive, expected, on_progress)
            if expected is not None and expected.lower() not in digests:
                raise InputError(
                    entry.url,
                    "wrong_digest",
                    f"has {digests[-1]}, expected {expected}: not the file that was published; try again",
                )
            fresh.mkdir()
            try:
                files = unpack(archive, fresh, keep=Globs(entry.keep), strip=entry.strip)
            except InputError as error:
                raise InputError(entry.url, error.code, error.detail) from error
            done = Downloaded(
                folder, folder / entry.root, files, digests[0].partition(":")[2], expected is not None
            )
            write_text(fresh / "source.json", json.dumps(_source(entry, done), indent=2) + "\n")
            fresh.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ResourceError(
            f"{folder}: cannot be written: {reason}; make room or choose another folder"
        ) from error
    return done


def _fetch(entry: PublicSet, target: Path, expected: str | None, on_progress: Progress | None) -> list[str]:
    """Load the archive into a file; its digests, SHA-256 first."""
    hashes = {"sha256": hashlib.sha256()}
    if expected is not None and expected.lower().startswith("md5:"):
        hashes["md5"] = hashlib.md5(usedforsecurity=False)
    done = 0
    with target.open("wb") as file, _open(entry.url) as source:
        stated = source.headers.get("Content-Length", "")
        whole = int(stated) if stated.isdecimal() else entry.size
        while done <= entry.size and (block := _read(entry.url, source)):
            done += len(block)
            file.write(block)
            for value in hashes.values():
                value.update(block)
            if on_progress is not None:
                on_progress(done, whole)
    if done > entry.size:
        raise InputError(
            entry.url, "too_large", f"has more than the {entry.size} bytes expected; not the same file"
        )
    if stated.isdecimal() and done < whole:
        raise InputError(
            entry.url, "unreachable", f"the connection ended after {done} of {whole} bytes; try again"
        )
    return [f"{name}:{value.hexdigest()}" for name, value in hashes.items()]


class _SameRules(urllib.request.HTTPRedirectHandler):
    """Follows redirections to addresses that could have been asked for in the first place."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _local(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> Any:
    handlers: list[urllib.request.BaseHandler] = [_SameRules()]
    if _local(url):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"User-Agent": "seqflow", "Accept-Encoding": "identity"})
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(url, "unreachable", f"{reason}; check the connection and try again") from error


def _read(url: str, source: IO[bytes]) -> bytes:
    try:
        return source.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(url, "unreachable", f"the connection broke: {error}; try again") from error


def _local(url: str) -> bool:
    """Whether an address is on this machine. Raises UsageError unless it is, or is https."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return False
    try:
        if parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback:
            return True
    except ValueError:
        pass
    raise UsageError(f"{url}: only addresses that begin with https:// are fetched")


def _source(entry: PublicSet, done: Downloaded) -> dict[str, Any]:
    return {
        "name": entry.name,
        "description": entry.description,
        "licence": entry.licence,
        "home": entry.home,
        "url": entry.url,
        "sha256": done.sha256,
        "verified": done.verified,
    }
