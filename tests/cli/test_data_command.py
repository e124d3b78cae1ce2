"""`seqflow data` and `seqflow batch`."""

from __future__ import annotations

import http.server
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from calls import Seqflow

from seqflow.data import catalog, download
from seqflow.data.catalog import CATALOG, PublicSet


def test_the_list(seqflow: Seqflow) -> None:
    result = seqflow("data")
    assert result.code == 0 and result.out == seqflow("data", "list").out
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == list(CATALOG)
    assert [one["name"] for one in seqflow("data", "--json").json] == list(CATALOG)


def test_make_then_inspect(seqflow: Seqflow, tmp_path: Path) -> None:
    out = tmp_path / "made"
    words = ["-n", 1, "--faulty", 1, "--fault", "noise", "--seconds", 1]
    result = seqflow("data", "make", "machine", "--out", out, *words)
    assert result.code == 0
    assert result.out.splitlines() == [
        str(out / name) for name in ("normal/machine-000.wav", "faulty/machine-001-noise.wav", "faults.jsonl")
    ]
    again = seqflow("data", "make", "machine", "--out", out, *words)
    assert (again.code, again.out, again.err.count("\n")) == (2, "", 1)
    shown = seqflow("data", "inspect", out)
    assert shown.code == 0
    rows = [line.split() for line in shown.out.splitlines()[1:]]
    assert [row[:4] for row in rows] == [
        [str(out / name), "audio", "2", "16000"]
        for name in ("faulty/machine-001-noise.wav", "normal/machine-000.wav")
    ]
    assert [row["rate"] for row in seqflow("data", "inspect", out, "--json").json_lines] == [16000.0] * 2


def test_inspect_tells_what_it_cannot_read(seqflow: Seqflow, recordings: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad\x1b.wav"
    bad.write_text("no sound")
    result = seqflow("data", "inspect", recordings, bad)
    assert result.code == 3
    assert "bad\\x1b.wav: not_audio: " in result.err and "\x1b" not in result.err
    assert seqflow("data", "inspect", bad, "--json").json["status"] == "not_audio"
    assert seqflow("data", "inspect", bad).code == 4


def test_inspect_names_channels_that_never_move(seqflow: Seqflow, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("a,b\n1,2\n1,3\n1,4\n")
    names = "abcdefgh"
    (tmp_path / "all.csv").write_text("\n".join([",".join(names), *[",".join("1" * len(names))] * 3]) + "\n")
    lines = seqflow("data", "inspect", tmp_path).err.splitlines()
    assert lines[0].endswith("all.csv: channels a, b, c, d, e and 3 more hold one value each")
    assert lines[1].endswith("one.csv: channel a holds one value")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["make", "sinus", "--out", "x"], "'sinus'"),
        (["download", "nothing"], "there are fsdd"),
        (["inspect", "x", "--recipe", "toy/sin"], "nearest 'toy/sine'"),
    ],
)
def test_usage(
    seqflow: Seqflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = seqflow("data", *words)
    assert (result.code, result.out) == (2, "") and what in result.err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PublicSet]:
    """A data set on a server of this machine, in the catalog."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        info = tarfile.TarInfo("set-1.0/recordings/a.wav")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"RIFF"))
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "set.tar.gz").write_bytes(content.getvalue())

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        entry = PublicSet(
            name="tiny",
            description="One file",
            licence="CC0",
            home="",
            url=f"http://127.0.0.1:{server.server_port}/set.tar.gz",
            size=1 << 20,
            checksum=None,
            keep=("recordings/*.wav",),
            strip=1,
            recipe="audio/fsdd",
            root="recordings",
        )
        for module in (catalog, download):
            monkeypatch.setattr(module, "CATALOG", {"tiny": entry})
        yield entry
        server.shutdown()
        thread.join()


def test_download_tells_where_it_is_and_what_next(
    seqflow: Seqflow, tmp_path: Path, published: PublicSet
) -> None:
    out = tmp_path / "sets"
    result = seqflow("data", "download", "tiny", "--out", out)
    root = out / "tiny" / "recordings"
    assert (result.code, result.out) == (0, f"{root}\n")
    assert (root / "a.wav").read_bytes() == b"RIFF"
    assert "taken on trust: sha256:" in result.err and "licence: CC0" in result.err
    assert f"next: seqflow train audio/fsdd --set data.root={root}" in result.err
    again = seqflow("data", "download", "tiny", "--out", out)
    assert again.code == 2 and "is there already" in again.err


def test_download_of_something_else(seqflow: Seqflow, tmp_path: Path, published: PublicSet) -> None:
    wrong = f"sha256:{'0' * 64}"
    result = seqflow("data", "download", "tiny", "--out", tmp_path / "sets", "--checksum", wrong)
    assert result.code == 3 and "wrong_digest" in result.err
    assert not list((tmp_path / "sets").iterdir())


def test_batch(seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores"
    result = seqflow("batch", trained, recordings, "--out", out, "--device", "cpu")
    assert result.code == 0
    assert result.out.startswith(f"{out}: 3 recordings: 3 ok; ")
    again = seqflow("batch", trained, recordings, "--out", out, "--device", "cpu", "--json")
    assert again.json["reused"] == 3
    assert json.loads((out / "summary.json").read_text())["scored"] == 3


def test_batch_in_shards(seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path) -> None:
    words = ["batch", trained, recordings, "--out", tmp_path / "scores", "--device", "cpu"]
    parts = [seqflow(*words, "--shard", shard, "--memory", "8000") for shard in ("2/2", "1/2")]
    assert [part.code for part in parts] == [0, 0]
    assert parts[0].out.startswith(f"{tmp_path / 'scores'}: shard 2/2: ")
    assert "note: no tables yet" in parts[0].err and "note: no tables yet" not in parts[1].err
    assert json.loads((tmp_path / "scores" / "summary.json").read_text())["scored"] == 3
    again = seqflow(*words, "--shard", "2/2")
    assert "note: the tables there are of an earlier batch: other shards are not done" in again.err


def test_batch_of_a_manifest(seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path) -> None:
    for name in ("r0.wav", "r1.wav"):
        shutil.copy(recordings / name, tmp_path)
    words = ["batch", trained, tmp_path / "list.csv", "--out", tmp_path / "scores", "--device", "cpu"]
    (tmp_path / "list.csv").write_text("path\nr0.wav\nnone.wav\nr1.wav\n")
    result = seqflow(*words)
    assert result.code == 3 and ": 3 recordings: 2 ok, 1 unreadable; " in result.out
    (tmp_path / "list.csv").write_text("path\nr1.wav\n")
    (tmp_path / "r0.wav").unlink()
    result = seqflow(*words)
    assert result.code == 0
    assert "note: 1 result of inputs that are no longer there, in no table, in " in result.err
    for text in ("name\nr1.wav\n", "path\n../r1.wav\n"):
        (tmp_path / "list.csv").write_text(text)
        result = seqflow(*words)
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--workers", "0"], "--workers"),
        (["--alarm-rate", "1e-9"], "attainable"),
        (["--shard", "3/2"], "must be i/n"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--engine dask"),
        (["--claim-expiry", "0"], "expiry"),
    ],
)
def test_batch_usage(
    seqflow: Seqflow, trained: Path, recordings: Path, tmp_path: Path, words: list[str], what: str
) -> None:
    result = seqflow("batch", trained, recordings, "--out", tmp_path / "scores", *words)
    assert (result.code, result.out) == (2, "") and what in result.err
