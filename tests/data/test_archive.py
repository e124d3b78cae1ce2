"""Archives from elsewhere: what may come out of them, and what may not."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqflow.data.archive import unpack
from seqflow.data.globs import Globs
from seqflow.errors import InputError

ALL = Globs(["**"])
Member = tuple[str, bytes]


def tar(path: Path, *members: Member, mode: str = "w:gz", kinds: dict[str, bytes] | None = None) -> Path:
    with tarfile.open(path, mode) as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            kind = (kinds or {}).get(name)
            if kind is not None:
                info.type, info.linkname, info.size = kind, content.decode(), 0
            file.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: Member) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, content)
    return path


def refused(archive: Path, out: Path, **keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        unpack(archive, out, keep=ALL, **keys)
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("make", [tar, zipped])
def test_files_come_out_by_pattern(tmp_path: Path, make: Callable[..., Path]) -> None:
    archive = make(
        tmp_path / "x", ("top/a.wav", b"1"), ("top/d/b.wav", b"22" * 3000), ("top/c.txt", b"3"), ("top/", b"")
    )
    out = tmp_path / "out"
    assert unpack(archive, out, keep=Globs(["**/*.wav"]), strip=1) == 2
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == {"a.wav": b"1", "d/b.wav": b"22" * 3000}


def test_a_plain_tar(tmp_path: Path) -> None:
    assert unpack(tar(tmp_path / "x", ("a", b"1"), mode="w:"), tmp_path / "out", keep=ALL) == 1


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\evil", "x/../../../evil"])
def test_nothing_leaves_the_folder(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    archive = make(tmp_path / "x", (name, b"1"))
    for strip in (0, 1):
        assert refused(archive, tmp_path / "in" / "out", strip=strip) in ("outside_root",)
    assert not list(tmp_path.rglob("evil"))


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    kinds = {
        "link": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "pipe": tarfile.FIFOTYPE,
        "device": tarfile.CHRTYPE,
        "dir": tarfile.SYMTYPE,
    }
    members = [
        ("link", b"/etc/passwd"),
        ("hard", b"a"),
        ("pipe", b""),
        ("device", b""),
        ("dir", b"/tmp"),
        ("a", b"1"),
    ]
    out = tmp_path / "out"
    assert unpack(tar(tmp_path / "x", *members, kinds=kinds), out, keep=ALL) == 1
    assert [p.name for p in out.iterdir()] == ["a"]
    # A file behind a link that was left out lands in a folder of its own.
    members = [("dir", b"/nowhere"), ("dir/b", b"2")]
    assert unpack(tar(tmp_path / "y", *members, kinds=kinds), out, keep=ALL) == 1
    assert not (out / "dir").is_symlink() and (out / "dir" / "b").read_bytes() == b"2"


def test_links_in_zip_files_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x", "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr("a", "1")
    assert unpack(tmp_path / "x", tmp_path / "out", keep=ALL) == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a"]


@pytest.mark.parametrize("make", [tar, zipped])
def test_bombs(tmp_path: Path, make: Callable[..., Path]) -> None:
    archive = make(tmp_path / "x", *((f"{i}", bytes(1 << 20)) for i in range(8)))
    assert archive.stat().st_size < 1 << 16
    assert refused(archive, tmp_path / "out", most_bytes=4 << 20) == "too_large"
    # Files that are not kept count as well.
    with pytest.raises(InputError, match="too_large"):
        unpack(archive, tmp_path / "none", keep=Globs(["7"]), most_bytes=4 << 20)
    assert unpack(archive, tmp_path / "all", keep=ALL, most_bytes=8 << 20) == 8


def test_a_zip_file_that_lies_about_its_sizes(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x", ("a", bytes(1 << 20)))
    data = bytearray(archive.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 10)
    archive.write_bytes(data)
    assert refused(archive, tmp_path / "out") == "corrupt"
    assert all(p.stat().st_size <= 10 for p in (tmp_path / "out").rglob("*"))


def test_a_header_that_wants_all_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    with gzip.open(tmp_path / "x", "wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 20))
    assert refused(tmp_path / "x", tmp_path / "out") == "corrupt"


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path, make: Callable[..., Path]) -> None:
    assert refused(make(tmp_path / "x", ("a", b"1"), ("a", b"2")), tmp_path / "out") == "duplicate"


@pytest.mark.parametrize("make", [tar, zipped])
def test_damage(tmp_path: Path, make: Callable[..., Path]) -> None:
    archive = make(tmp_path / "x", ("a", bytes(range(256)) * 400))
    whole = archive.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        b"no archive at all",
        b"",
        whole[:200] + b"\xff" * 50 + whole[250:],
    ):
        archive.write_bytes(content)
        assert refused(archive, tmp_path / f"out{len(content)}") in ("corrupt", "empty")
    with pytest.raises(InputError, match="empty: holds none"):
        unpack(make(tmp_path / "y", ("a", b"1")), tmp_path / "no", keep=Globs(["*.wav"]))
