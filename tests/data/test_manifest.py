"""Lists of files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from seqflow.data.discover import find_files
from seqflow.data.manifest import Entry, read_manifest
from seqflow.errors import InputError
from seqflow.recipe import AudioData

FILES = ["a.wav", "d/b.wav", "d/c.wav"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "root"


def read(root: Path, text: str | bytes, name: str = "list.csv") -> list[Entry]:
    (root / name).write_bytes(text if isinstance(text, bytes) else os.fsencode(text))
    return read_manifest(root, name)


def test_csv(root: Path) -> None:
    text = '\ufeffpath,split,load\r\n"d/b.wav",train,"1,5"\r\n\r\n./a.wav, test ,\r\nd//c.wav,,x\r\n'
    entries = read(root, text)
    assert [(e.name, e.split, e.line, dict(e.conditions)) for e in entries] == [
        ("d/b.wav", "train", 2, {"load": "1,5"}),
        ("a.wav", "test", 4, {"load": ""}),
        ("d/c.wav", None, 5, {"load": "x"}),
    ]


def test_json_lines(root: Path) -> None:
    lines = [{"path": "d/b.wav", "split": "valid", "load": 3}, {"path": "a.wav", "split": None}]
    entries = read(root, "\n" + "\n\n".join(map(json.dumps, lines)), "list.jsonl")
    assert [(e.name, e.split, e.line, dict(e.conditions)) for e in entries] == [
        ("d/b.wav", "valid", 2, {"load": "3"}),
        ("a.wav", None, 4, {}),
    ]


def test_names_of_any_kind(root: Path) -> None:
    odd = ["a\nb.wav", 'q"q.wav', "ü.wav", os.fsdecode(b"\xff.wav"), "-x.wav"]
    for name in odd:
        (root / name).write_bytes(b"x")
    quoted = ['"' + name.replace('"', '""') + '"' for name in odd]
    assert [e.name for e in read(root, "path\n" + "\n".join(quoted) + "\n")] == odd
    assert [e.line for e in read_manifest(root, "list.csv")] == [2, 4, 5, 6, 7]
    text = "\n".join(json.dumps({"path": name}) for name in odd)
    assert [e.name for e in read(root, text, "list.jsonl")] == odd


@pytest.mark.parametrize(
    ("rows", "line", "code", "what"),
    [
        ("a.wav,train\n../x.wav,train", 3, "outside_root", "must be relative"),
        ("d/../../x,", 2, "outside_root", "must be relative"),
        ("/etc/passwd,", 2, "outside_root", "must be relative"),
        ("C:\\x.wav,", 2, "outside_root", "must be relative"),
        ("out.wav,", 2, "outside_root", "is a link out"),
        ("away/x.wav,", 2, "outside_root", "is a link out"),
        ("e.wav,", 2, "unreadable", "there is no file 'e.wav'"),
        ("d,", 2, "not_a_file", "list the files themselves"),
        (",", 2, "unreadable", "empty path"),
        ("a\0.wav,", 2, "unreadable", "empty path"),
        ("a.wav,\nd/b.wav,\n./a.wav,", 4, "duplicate", "stands in line 2"),
        ("a.wav,training", 2, "unknown_split", "'training' must be one of train, valid"),
        ("a.wav", 2, "ragged", "has 1 fields, the header 2"),
        ("a.wav,,", 2, "ragged", "has 3 fields"),
        ('"a.wav,\n', 2, "corrupt", "is no CSV"),
        ("x" * 70_000 + ",", 2, "too_large", "more than 65536"),
    ],
)
def test_faults_are_named_by_line(root: Path, rows: str, line: int, code: str, what: str) -> None:
    (root.parent / "x.wav").write_bytes(b"x")
    (root / "out.wav").symlink_to(root.parent / "x.wav")
    (root / "away").symlink_to(root.parent)
    with pytest.raises(InputError) as caught:
        read(root, f"path,split\n{rows}\n")
    assert caught.value.code == code and what in caught.value.detail
    assert Path(caught.value.path).name.startswith("list.csv:")
    if code != "corrupt":
        assert caught.value.path.endswith(f":{line}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"path": "a.wav"', "corrupt"),
        ('{"path": "a.wav"}\n[1]', "corrupt"),
        ('{"path": 3}', "corrupt"),
        ('{"path": "a.wav", "path": "d/b.wav"}', "corrupt"),
        ('{"path": "\\ud800"}', "unreadable"),
        ('{"name": "a.wav"}', "missing_column"),
        ('{"path": ' + "[" * 30_000 + "]" * 30_000 + "}", "corrupt"),
        ('{"path": "a.wav", "n": ' + "9" * 60_000 + "}", "corrupt"),
        ("name,split\na.wav,train", "missing_column"),
        ("path,path\na.wav,a.wav", "missing_column"),
        ("path\n", "empty"),
        ("", "empty"),
    ],
)
def test_faults_of_the_list_itself(root: Path, text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        read(root, text)
    assert caught.value.code == code and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "code"), [("../list.csv", "outside_root"), ("none.csv", "not_a_file"), ("d", "not_a_file")]
)
def test_the_list_must_be_a_file_below_root(root: Path, name: str, code: str) -> None:
    (root.parent / "list.csv").write_text("path\na.wav\n")
    with pytest.raises(InputError) as caught:
        read_manifest(root, name)
    assert caught.value.code == code


def test_a_recipe_with_a_list(root: Path) -> None:
    (root / "list.csv").write_text("path,split\nd/c.wav,train\na.wav,test\nd/b.wav,\n")
    config = AudioData(kind="audio", root=str(root), window=8, manifest="list.csv", exclude=("d/b*",))
    assert find_files(config) == [root / "a.wav", root / "d" / "c.wav"]
