"""A stream from a real broker on this machine: read, published, and taken up again after a break."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stream_model import stream_run, values_of

from seqflow.errors import ResourceError, UsageError
from seqflow.jobs import stream_mqtt
from seqflow.jobs.stream_mqtt import Broker

FOUND = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
REQUIRED = os.environ.get("SEQFLOW_REQUIRE_MOSQUITTO") == "1" or bool(os.environ.get("CI"))
needs_broker = pytest.mark.skipif(
    FOUND is None and not REQUIRED, reason="mosquitto is not installed (apt-get install mosquitto)"
)


class Mosquitto:
    """A broker on a free port of the loopback, stopped and started at will."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest none\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        assert FOUND is not None, "mosquitto is required here, and not installed"
        self.process = subprocess.Popen([FOUND, "-c", str(self.config)])
        until(self.answers)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Any:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def client(port: int) -> Any:
    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    made = paho.Client(CallbackAPIVersion.VERSION2)
    made.reconnect_delay_set(1, 1)
    made.connect_async("127.0.0.1", port)
    made.loop_start()
    until(made.is_connected)
    return made


@needs_broker
def test_a_command_reads_and_publishes(mosquitto: Mosquitto, tmp_path: Path) -> None:
    run = stream_run(tmp_path / "run")
    heard: list[dict[str, Any]] = []
    other = client(mosquitto.port)
    other.on_message = lambda *parts: heard.append(json.loads(parts[2].payload))
    other.subscribe("scores", qos=1)
    words = ["--format", "jsonl", "--mqtt", mosquitto.address, "--topic", "in", "--publish", "scores"]
    process = subprocess.Popen(
        [sys.executable, "-m", "seqflow_cli", "stream", str(run), *words],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    try:
        until(lambda: bool(heard))  # `start` came by the broker: it is connected
        assert heard[0]["kind"] == "start"

        def subscribed() -> bool:
            other.publish("in", json.dumps({"n": 0, "values": [0.0]}), qos=1)
            time.sleep(0.1)
            return any(line["kind"] == "late" for line in heard)

        until(subscribed)
        for n, x in enumerate(values_of(1, 64)[0].tolist()):
            other.publish("in", json.dumps({"n": n, "values": [x]}), qos=1)
        until(lambda: sum(line["kind"] == "window" for line in heard) == 3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert [json.loads(line) for line in out.splitlines()] == heard
    finally:
        process.kill()
        process.wait(60)
        other.disconnect()
        other.loop_stop()


@needs_broker
def test_it_comes_back_when_the_broker_does(mosquitto: Mosquitto) -> None:
    with Broker(mosquitto.address, "in", None) as broker:
        sender = client(mosquitto.port)
        try:
            got: list[bytes] = []

            def asked() -> bool:
                sender.publish("in", b"x", qos=0)
                piece = broker.read(0.2)
                got.extend([piece] if piece else [])
                return piece is not None

            until(asked)
            mosquitto.stop()
            until(lambda: not broker.connected)
            mosquitto.start()
            until(lambda: broker.connected)
            got.clear()
            until(asked)
            assert set(got) == {b"x\n"}
        finally:
            sender.disconnect()
            sender.loop_stop()


def test_a_broker_that_is_not_there_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Broker(address, "in", None, patience=0.3) as broker:
            end = time.monotonic() + 30
            with pytest.raises(ResourceError, match="no connection to a broker"):
                while time.monotonic() < end:
                    broker.read(0.1)


def test_faults_of_the_address_and_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("here", ":1883", "here:x", "here:70000"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            Broker(address, "in", None)
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(UsageError, match=r"seqflow-audio\[mqtt\]"):
        Broker("here:1883", "in", None)


def test_what_cannot_be_held_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_mqtt, "MOST_HELD", 2)
    broker = Broker("127.0.0.1:1883", "in", None)
    message = type("Message", (), {"payload": b"1"})
    for _ in range(5):
        broker._receive(None, None, message)
    assert broker.lost == 3 and broker.read(0.0) == b"1\n"
