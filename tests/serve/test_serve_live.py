"""Live streams say what `seqflow stream` says of the same samples, within limits."""

from __future__ import annotations

import json
import os
import socket as sockets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from service import SECONDS, Service
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


@pytest.fixture(autouse=True)
def _all_places(service: Service) -> None:
    """The place of a stream is free a moment after its end."""
    end = time.monotonic() + SECONDS
    while service.figures()["seqflow_streams"]:
        assert time.monotonic() < end
        time.sleep(0.02)


Waves = list[NDArray[np.float32]]


def stream(service: Service, query: str = "format=f32le", **keys: Any) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{service.port}/live?{query}", open_timeout=SECONDS, close_timeout=SECONDS, **keys
    )


def rest(socket: ClientConnection) -> tuple[list[Any], int, str]:
    """All lines that are still to come, and how it was closed."""
    lines = []
    try:
        while True:
            lines.append(json.loads(socket.recv(timeout=SECONDS)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return lines, closed.rcvd.code, closed.rcvd.reason


def commanded(run: Path, data: bytes, *options: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-m", "seqflow_cli", "stream", str(run), *options],
        input=data,
        capture_output=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_lines_are_those_of_the_command(service: Service, trained: Path, waves: Waves) -> None:
    data = waves[2].tobytes()
    start, *expected = commanded(trained, data, "--format", "f32le")
    for size in (4000, 1111):
        with stream(service) as socket:
            lines = [json.loads(socket.recv(timeout=SECONDS))]
            for begin in range(0, len(data), size):
                socket.send(data[begin : begin + size])
            socket.send(b"")
            found, code, _ = rest(socket)
        assert (found, code) == (expected, 1000)
        assert lines[0].items() <= start.items() and lines[0]["kind"] == "start"
        service.visit(route="/live", received=len(data))


def test_rows_of_json(service: Service, waves: Waves) -> None:
    with stream(service, "format=jsonl&terms=true&onset=1") as socket:
        socket.recv(timeout=SECONDS)
        socket.send(json.dumps({"values": [[float(value)] for value in waves[2][:600]]}))
        socket.send("{")
        socket.send("")
        lines, code, _ = rest(socket)
    kinds = [line["kind"] for line in lines]
    assert code == 1000 and kinds.count("bad_line") == 1 and kinds[-1] == "end"
    window = next(line for line in lines if line["kind"] == "window")
    assert {"nll", "local"} <= window["terms"].keys()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *(("format=exe", "bad_query"), ("alarm_rate=nan", "bad_query"), ("onset=0", "bad_query")),
        *(
            ("path=/etc", "bad_query"),
            ("alarm_rate=0.0001", "unsuitable"),
            ("format=csv&alarm_rate=0.001", "unsuitable"),
        ),
    ],
)
def test_what_is_refused_before_it_begins(service: Service, query: str, code: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        stream(service, query)
    assert caught.value.response.status_code == 422
    assert json.loads(caught.value.response.body or b"")["code"] == code


def test_messages_that_end_a_stream(service: Service) -> None:
    for query, message, number, code in (
        ("format=f32le", "text", 1003, "wrong_message"),
        ("format=jsonl", b"bytes", 1003, "wrong_message"),
        ("format=jsonl", "x\n" * 200, 1007, "not_rows"),
        ("format=f32le", bytes(20_001), 1009, ""),
    ):
        with stream(service, query) as socket:
            socket.recv(timeout=SECONDS)
            socket.send(message)
            _, closed, reason = rest(socket)
        assert (closed, reason.startswith(code)) == (number, True), reason


def test_places_are_few_and_are_given_back(service: Service) -> None:
    with stream(service) as first, stream(service) as second:
        with pytest.raises(InvalidStatus) as caught:
            stream(service)
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"] == "1"
        # Nothing is sent: both lose their places in time.
        assert rest(first)[1:] == rest(second)[1:] == (1008, "idle: nothing came for 1.5 seconds")
    with stream(service) as third:
        third.send(b"")
        assert rest(third)[1] == 1000


def test_a_reader_that_stops_is_cut_off(service: Service, waves: Waves) -> None:
    piece = np.resize(waves[0], 5000).tobytes()
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", service.port))
    # The client takes nothing from its socket once one message is there.
    with (
        stream(service, "format=f32le&terms=true", max_queue=1, sock=narrow) as socket,
        pytest.raises((ConnectionClosed, OSError)),
    ):
        # Far more than the buffers between the two hold.
        for _ in range(1000):
            socket.send(piece)
    service.visit(route="/live", code="slow_reader")


def test_the_death_of_the_process_ends_its_streams_and_no_others(service: Service, waves: Waves) -> None:
    data = waves[0].tobytes()
    with stream(service) as socket:
        socket.recv(timeout=SECONDS)
        socket.send(data)
        assert json.loads(socket.recv(timeout=SECONDS))["kind"] == "window"
        for child in service.children():
            os.kill(child, 9)
        socket.send(data)
        _, code, reason = rest(socket)
        assert code == 1011 and reason.startswith("lost")
    with stream(service) as socket:
        socket.send(data)
        socket.send(b"")
        assert rest(socket)[1] == 1000
