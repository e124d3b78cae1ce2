"""How a service ends, and what it is told at its start."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from service import SECONDS, Service, reply

from seqflow.errors import UsageError
from seqflow.serve.formats import label_of, suffix_of
from seqflow.serve.limits import Limits
from seqflow.serve.refusal import Refusal
from seqflow.serve.run import loopback
from seqflow_cli.main import run


def begun(service: Service, body: bytes, token: str) -> socket.socket:
    """A request whose last byte is still to come."""
    connection = service.connect()
    head = (
        f"POST /score?format=wav HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body[:-1])
    return connection


def pending(service: Service, count: int) -> None:
    end = time.monotonic() + SECONDS
    while service.figures()["seqflow_pending_requests"] != count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_token_a_full_house_a_late_answer_and_a_drain(trained: Path, files: Path, tmp_path: Path) -> None:
    body = (files / "a.wav").read_bytes()
    options = ["--limit-pending", "2", "--limit-seconds", "1", "--limit-streams", "0", "--limit-drain", "20"]
    with Service(trained, tmp_path, *options, token="geheim") as service:
        ask = service.client.post
        for headers in (
            {},
            {"Authorization": "Bearer Geheim"},
            {"Authorization": "Bearer geheim\xfc".encode()},
        ):
            for path in ("/model", "/metrics", "/score", "/nothing"):
                found = httpx.get(service.url + path, headers=headers)
                assert (found.status_code, found.json()["code"]) == (401, "unauthorized")
                assert found.headers["WWW-Authenticate"] == "Bearer"
        assert httpx.get(service.url + "/health").status_code == 200
        for child in service.children():
            assert b"geheim" not in Path(f"/proc/{child}/environ").read_bytes()
        assert service.client.get("/live").status_code == 404  # no streams

        long = tmp_path / "long.npy"
        np.save(long, np.random.default_rng(0).standard_normal(4_000_000).astype(np.float32))
        found = ask("/score?format=npy", content=long.read_bytes())
        assert (found.status_code, found.json()["code"]) == (504, "timeout")
        long.unlink()
        assert ask("/score?format=wav", content=body).status_code == 200

        with begun(service, body, "geheim") as first, begun(service, body, "geheim") as second:
            pending(service, 2)
            found = ask("/score?format=wav", content=body)
            assert (found.status_code, found.json()["code"]) == (503, "busy")
            assert found.headers["Retry-After"] == "1"
            second.sendall(body[-1:])
            assert reply(second)[0] == 200
            pending(service, 1)
            service.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + SECONDS
            while httpx.get(service.url + "/health").status_code != 503:
                assert time.monotonic() < end
            found = ask("/score?format=wav", content=body)
            assert (found.status_code, found.json()["code"]) == (503, "draining")
            assert service.process.poll() is None
            first.sendall(body[-1:])
            assert reply(first)[0] == 200
        assert service.process.wait(SECONDS) == 0
        assert service.errors() == "serve: a process took more than 1 seconds\n"
        assert not list(tmp_path.iterdir())


def test_a_second_signal_waits_for_nothing(trained: Path, files: Path, tmp_path: Path) -> None:
    wave = (files / "a.wav").read_bytes()
    with Service(trained, tmp_path, "--limit-streams", "0") as service:
        children = service.children()
        with begun(service, wave, "") as connection:
            pending(service, 1)
            service.process.send_signal(signal.SIGINT)
            end = time.monotonic() + SECONDS
            while httpx.get(service.url + "/health").status_code != 503:
                assert time.monotonic() < end
            assert service.end(signal.SIGINT) == 130
            status, body = reply(connection)
            assert (status, body["code"]) == (503, "stopped")
        assert service.errors() == "seqflow: interrupted\n"
        assert not list(tmp_path.iterdir())
        assert not any(Path(f"/proc/{child}/cmdline").exists() for child in children)


def test_starts_that_cannot_be(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["serve", str(trained), "--port", str(taken.getsockname()[1])]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "cannot listen there: Address already in use" in line
    # Where other machines could reach it, a line warns of it; this one has no such address.
    assert run(["serve", str(trained), "--host", "192.0.2.1", "--port", "0"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "SEQFLOW_TOKEN is not set" in first and "192.0.2.1:0: cannot listen there" in second
    done = subprocess.run(
        [sys.executable, "-m", "seqflow_cli", "serve", str(tmp_path), "--port", "0", "--limit-streams", "0"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "holds no model" in done.stderr


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--limit-body", "0"], "limit body must be positive"),
        (["--limit-seconds", "nan"], "limit seconds must be positive"),
        (["--host", "nowhere.invalid"], "no address of this machine"),
    ],
)
def test_options_that_cannot_be(
    words: list[str], part: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", str(trained), "--port", "0", *words]) == 2
    assert part in capsys.readouterr().err


def test_without_the_extra(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.startswith(("seqflow.serve.service", "seqflow.serve.app", "fastapi")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert run(["serve", str(trained), "--port", "0"]) == 2
    assert capsys.readouterr().err == "serve: fastapi is not installed: install seqflow-audio[serve]\n"


def test_an_empty_token_is_refused(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEQFLOW_TOKEN", " ")
    assert run(["serve", str(trained), "--port", "0"]) == 2
    assert "the token is empty" in capsys.readouterr().err


def test_formats_and_labels() -> None:
    assert suffix_of(None, "x.WAV", "text/csv") == "wav"
    assert suffix_of(None, "x.exe", "audio/flac; a=b") == "flac"
    assert suffix_of("npy", "x.wav", "text/csv") == "npy"
    for asked, name, kind in ((None, "", ""), ("exe", "x.wav", ""), (None, "x.tar.gz", "a/b"), ("", "", "")):
        with pytest.raises(Refusal, match="unknown_format"):
            suffix_of(asked, name, kind)
    assert label_of("") == label_of("a/") == "recording"
    assert label_of("\ud800\n.wav") == "\\ud800\\n.wav" and len(label_of("x" * 999)) == 120
    json.dumps(label_of("\x00\x1b[31m")).encode("ascii")


def test_addresses_and_limits() -> None:
    assert [loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8")] == [True] * 4
    assert not any(loopback(host) for host in ("0.0.0.0", "::", "example.org", "10.0.0.1"))
    assert Limits(streams=0).streams == 0
    with pytest.raises(UsageError, match="limit pending must be positive"):
        Limits(pending=0)
