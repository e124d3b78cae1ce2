"""Finding files: by recipe and from a command line, among links, pipes and odd names."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from seqflow.data.discover import expand, find_files
from seqflow.errors import InputError, UsageError
from seqflow.recipe import AudioData, SeriesData, SyntheticData


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def audio(root: Path, **keys: Any) -> AudioData:
    return AudioData(kind="audio", root=str(root), window=64, **keys)


def names(paths: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in paths]


def test_patterns_exclude_and_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.wav", "a/c.wav", "a.wav", "a/d.flac", "a/x.txt", "Z.wav", ".hidden.wav", ".h/e.wav")
    assert names(find_files(audio(tmp_path)), tmp_path) == ["Z.wav", "a.wav", "a/c.wav", "a/d.flac", "b.wav"]
    some = audio(tmp_path, files=("**/*.wav", "a/*"), exclude=("Z*", "**/x.*"))
    assert names(find_files(some), tmp_path) == ["a.wav", "a/c.wav", "a/d.flac", "b.wav"]


ODD = [
    "-rf.wav",
    "a\nb.wav",
    "ü ö.wav",
    "💧.wav",
    "$(x);'\".wav",
    os.fsdecode(b"\xff\xfe.wav"),
    "n" * 251 + ".wav",
]


def test_names_of_any_kind(tmp_path: Path) -> None:
    touch(tmp_path, *ODD)
    found = find_files(audio(tmp_path))
    assert sorted(names(found, tmp_path)) == sorted(ODD)
    assert found == sorted(found, key=os.fsencode)
    assert expand([tmp_path], audio(tmp_path)) == found


def test_links_pipes_and_sockets(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    touch(root, "d/a.wav")
    touch(outside, "secret.wav")
    (root / "inside.wav").symlink_to(root / "d" / "a.wav")
    (root / "out.wav").symlink_to(outside / "secret.wav")
    (root / "gone.wav").symlink_to(root / "nothing")
    (root / "loop.wav").symlink_to(root / "loop.wav")
    (root / "d" / "up").symlink_to(root)
    (root / "away").symlink_to(outside)
    os.mkfifo(root / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(root)  # socket paths are short
        bound.bind("s.wav")
        os.chdir(here)
    errors: list[InputError] = []
    assert names(find_files(audio(root), errors.append), root) == ["d/a.wav", "inside.wav"]
    found = {Path(error.path).name: error.code for error in errors}
    assert found == {
        "out.wav": "outside_root",
        "gone.wav": "unreadable",
        "loop.wav": "unreadable",
        "pipe.wav": "not_a_file",
        "s.wav": "not_a_file",
    }
    with pytest.raises(InputError):
        find_files(audio(root))
    # A folder on a command line is what its owner says it is: links to files count, wherever they lead.
    errors.clear()
    assert names(expand([root], audio(root), errors.append), root) == ["d/a.wav", "inside.wav", "out.wav"]


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.wav", "closed/b.wav")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # permissions do not bind the superuser
    errors: list[InputError] = []
    assert names(find_files(audio(tmp_path), errors.append), tmp_path) == ["a.wav"]
    assert [(Path(error.path).name, error.code) for error in errors] == [("closed", "unreadable")]
    with pytest.raises(UsageError, match="closed: unreadable: folder cannot be listed: Permission denied"):
        find_files(audio(tmp_path / "closed"), errors.append)


def test_a_folder_that_cannot_be_listed_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()

    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    for path in (tmp_path / "closed", f"{tmp_path}/clos*/*.wav"):
        errors: list[InputError] = []
        assert expand([path], audio(tmp_path), errors.append) == []
        assert [error.code for error in errors] == ["unreadable"]


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.wav")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(find_files(audio(tmp_path / "link")), tmp_path) == ["link/a.wav"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "but for upper and lower case"),
        ({"files": ("*.ogg",)}, r"none of 2 files matches \*\.ogg"),
        ({"files": ("*.WAV",), "exclude": ("**",)}, "data.exclude leaves none"),
    ],
)
def test_nothing_found(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    touch(tmp_path, "A.WAV", "notes.txt")
    with pytest.raises(UsageError, match=message):
        find_files(audio(tmp_path, **keys))


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data\.root: .*/none: there is no such folder"):
        find_files(audio(tmp_path / "none"))


def test_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.wav", "b.WAV", "c.csv", "d/e.flac", "d/f.txt", "d/g.npy", "odd[1].wav", "-x.wav")
    monkeypatch.chdir(tmp_path)
    config = audio(tmp_path)

    def found(*paths: str) -> list[str]:
        return [str(path) for path in expand(paths, config)]

    assert found(".") == ["-x.wav", "a.wav", "b.WAV", "d/e.flac", "odd[1].wav"]
    assert found("d", "a.wav", "./a.wav", str(tmp_path / "a.wav")) == ["a.wav", "d/e.flac"]
    assert found("c.csv", "d/f.txt") == ["c.csv", "d/f.txt"]
    assert found("odd[1].wav") == ["odd[1].wav"]
    assert found("**/*.w?[av]") == ["-x.wav", "a.wav", "odd[1].wav"]
    assert found("d/*") == ["d/e.flac", "d/f.txt", "d/g.npy"]
    assert found(f"{tmp_path}/d/*.npy") == [f"{tmp_path}/d/g.npy"]
    assert found("missing.wav") == ["missing.wav"]  # who opens it says so
    series = SeriesData(kind="series", root=".", window=8)
    assert [str(p) for p in expand(["."], series)] == ["c.csv", "d/g.npy"]
    both = SyntheticData(kind="synthetic", generator="sine", window=8)
    assert len(expand(["."], both)) == 7


def test_a_command_line_that_finds_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "d/a.txt", "a.wav")
    errors: list[InputError] = []
    found = expand([tmp_path / "d", f"{tmp_path}/*.mp3", tmp_path / "a.wav"], audio(tmp_path), errors.append)
    assert found == [tmp_path / "a.wav"]
    assert [error.code for error in errors] == ["no_files", "no_files"]
    with pytest.raises(InputError, match="no_files: no file matches"):
        expand(["*.mp3"], audio(tmp_path))


def test_many_files(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / f"{folder:02d}").mkdir()
        for i in range(100):
            os.close(os.open(tmp_path / f"{folder:02d}" / f"{i}.wav", os.O_CREAT | os.O_WRONLY))
    assert len(find_files(audio(tmp_path))) == 2000
