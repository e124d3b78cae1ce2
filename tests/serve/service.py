"""A service in a process of its own, on a free port of this machine, and what it says."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest

SECONDS = 60.0
"""Most of any wait."""
COMMAND = [sys.executable, "-m", "seqflow_cli", "serve"]


class Service:
    """`seqflow serve RUN --json` with options, until the block ends.

    `folder` is its TMPDIR.
    """

    def __init__(self, run: Path, folder: Path, *options: str, token: str | None = None) -> None:
        env = {**os.environ, "TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
        env.pop("SEQFLOW_TOKEN", None)
        if token is not None:
            env["SEQFLOW_TOKEN"] = token
        self.folder = folder
        self.process = subprocess.Popen(
            # A busy machine takes long to start a child, which nobody is to wait for in vain.
            [*COMMAND, str(run), "--port", "0", "--json", "--limit-wait", str(SECONDS), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            # Whatever the tests were started with.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self._lines: queue.Queue[Any] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        for thread in self._threads:
            thread.start()
        try:
            where = self._lines.get(timeout=SECONDS)
            assert where is not None and where["kind"] == "listening", self.errors()
            assert where["host"] == "127.0.0.1" and where["pid"] == self.process.pid
        except BaseException:
            self.process.kill()
            raise
        self.url, self.port = where["url"], where["port"]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS)

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(SECONDS)
        finally:
            self.process.kill()
            for thread in self._threads:
                thread.join(SECONDS)

    def end(self, number: int) -> int:
        """Send a signal, and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def errors(self) -> str:
        """What it wrote to stderr."""
        self._threads[1].join(0.0 if self.process.poll() is None else SECONDS)
        return "".join(self._errors)

    def visit(self, **wanted: Any) -> dict[str, Any]:
        """The next request it tells of with these values; others before it are passed over."""
        while True:
            found = self._lines.get(timeout=SECONDS)
            assert found is not None, "the service has ended"
            if all(found.get(name) == value for name, value in wanted.items()):
                return dict(found)

    def visits(self) -> list[dict[str, Any]]:
        """What it told of so far."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get())
        return found

    def children(self) -> list[int]:
        """Processes that it has started, but for the tracker of `multiprocessing`."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and b"spawn_main" in words:
                found.append(int(folder.name))
        return sorted(found)

    def uploads(self) -> list[Path]:
        """Files of uploads that are there."""
        return list(self.folder.glob("seqflow-serve-*/*"))

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def figures(self) -> dict[str, float]:
        """Of /metrics, by name and labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines) if name[0] != "#"}

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)


def heads(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of a bare answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def reply(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Status and JSON body of the next answer on a bare connection."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(1) or pytest.fail("there is no answer")
    length = int(found.lower().partition(b"content-length: ")[2].split()[0])
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body)) or pytest.fail("the answer is cut")
    return heads(found + body)


def everything(connection: socket.socket) -> bytes:
    """What comes until the other side closes, or resets."""
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionError:
        pass
    return found
