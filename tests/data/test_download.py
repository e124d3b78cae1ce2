"""Fetching data sets, from a server on this machine."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seqflow.data.catalog import CATALOG, PublicSet
from seqflow.data.download import download
from seqflow.errors import InputError, ResourceError, UsageError
from seqflow.recipe import names


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        for name in ("top/data/a.wav", "top/data/b.wav", "top/notes.txt"):
            info = tarfile.TarInfo(name)
            info.size = 1000
            file.addfile(info, io.BytesIO(name.encode().ljust(1000)))
    return buffer.getvalue()


ARCHIVE = _archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
MD5 = hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/set.tar.gz" | "/no-length":
                self.send_response(200)
                if self.path != "/no-length":
                    self.send_header("Content-Length", str(len(ARCHIVE)))
                self.end_headers()
                self.wfile.write(ARCHIVE)
            case "/cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(ARCHIVE)))
                self.end_headers()
                self.wfile.write(ARCHIVE[:100])
            case "/endless":
                self.send_response(200)
                self.end_headers()
                try:
                    for _ in range(10_000):
                        self.wfile.write(bytes(1 << 16))
                except OSError:
                    pass
            case "/moved" | "/away" | "/file":
                where = {
                    "/moved": "/set.tar.gz",
                    "/away": "http://example.org/x",
                    "/file": "file:///etc/passwd",
                }
                self.send_response(302)
                self.send_header("Location", where[self.path])
                self.end_headers()
            case _:
                self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def entry(address: str) -> PublicSet:
    return PublicSet(
        name="small",
        description="two files",
        licence="CC0",
        home="",
        url=f"{address}/set.tar.gz",
        size=len(ARCHIVE),
        checksum=f"sha256:{SHA256}",
        keep=("data/*.wav",),
        strip=1,
        recipe="audio/fsdd",
        root="data",
    )


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("page", ["set.tar.gz", "no-length", "moved"])
@pytest.mark.parametrize("checksum", [f"sha256:{SHA256}", f"md5:{MD5}"], ids=["sha256", "md5"])
def test_a_set_arrives(tmp_path: Path, entry: PublicSet, address: str, page: str, checksum: str) -> None:
    seen: list[tuple[int, int]] = []
    entry = replace(entry, url=f"{address}/{page}", checksum=checksum)
    done = download(entry, tmp_path / "data", lambda *at: seen.append(at))
    assert (done.files, done.sha256, done.verified) == (2, SHA256, True)
    assert done.folder == tmp_path / "data" / "small" and done.root == done.folder / "data"
    assert left(tmp_path) == ["data/small/data/a.wav", "data/small/data/b.wav", "data/small/source.json"]
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert done.folder.stat().st_mode & 0o055 == 0o055


def test_without_a_checksum_it_is_not_called_verified(tmp_path: Path, entry: PublicSet) -> None:
    done = download(replace(entry, checksum=None), tmp_path)
    assert not done.verified
    source = json.loads((done.folder / "source.json").read_text())
    assert source["sha256"] == SHA256 and source["verified"] is False and source["licence"] == "CC0"
    # What was found can be asked for the next time.
    again = download(replace(entry, checksum=None), tmp_path / "again", checksum=f"sha256:{SHA256}")
    assert again.verified
    with pytest.raises(InputError, match="wrong_digest"):
        download(replace(entry, checksum=None), tmp_path / "third", checksum="sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"checksum": "sha256:" + "0" * 64}, "wrong_digest"),
        ({"checksum": "md5:" + "0" * 32}, "wrong_digest"),
        ({"checksum": "crc32:0"}, "wrong_digest"),
        ({"size": len(ARCHIVE) - 1}, "too_large"),
        ({"url": "/cut"}, "unreachable"),
        ({"url": "/endless", "size": 1 << 20}, "too_large"),
        ({"url": "/missing"}, "unreachable"),
        ({"keep": ("*.flac",)}, "empty"),
    ],
)
def test_what_is_wrong_leaves_nothing(
    tmp_path: Path, entry: PublicSet, address: str, change: dict[str, Any], code: str
) -> None:
    if "url" in change:
        change = change | {"url": address + change["url"]}
    with pytest.raises(InputError) as caught:
        download(replace(entry, **change), tmp_path)
    assert caught.value.code == code and caught.value.path.startswith(address)
    assert list(tmp_path.iterdir()) == []


def test_nobody_there(tmp_path: Path, entry: PublicSet) -> None:
    with pytest.raises(InputError, match=r"unreachable: .*check the connection"):
        download(replace(entry, url="http://127.0.0.1:1/x"), tmp_path)


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "/etc/passwd"]
)
def test_only_https_leaves_this_machine(tmp_path: Path, entry: PublicSet, url: str) -> None:
    with pytest.raises(UsageError, match="only addresses that begin with https://"):
        download(replace(entry, url=url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nor_does_a_redirection(tmp_path: Path, entry: PublicSet, address: str) -> None:
    with pytest.raises(UsageError, match="only addresses that begin with https://"):
        download(replace(entry, url=f"{address}/away"), tmp_path)
    with pytest.raises(InputError, match="not allowed"):
        download(replace(entry, url=f"{address}/file"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays(tmp_path: Path, entry: PublicSet) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        download(entry, tmp_path)
    assert left(tmp_path) == ["small/mine.txt"]


def test_no_room(tmp_path: Path, entry: PublicSet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seqflow.data.download.unpack", full)
    with pytest.raises(ResourceError, match="No space left"):
        download(entry, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_catalog() -> None:
    with pytest.raises(UsageError, match=r"no data set 'fsd'; there are fsdd, "):
        download("fsd", Path("nowhere"))
    for name, entry in CATALOG.items():
        assert entry.name == name and entry.recipe in names()
        assert entry.url.startswith("https://") and entry.licence and entry.home.startswith("https://")
        if entry.checksum is not None:
            kind, _, digest = entry.checksum.partition(":")
            assert len(digest) == {"sha256": 64, "md5": 32}[kind] and int(digest, 16)
