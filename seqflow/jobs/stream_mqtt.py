"""A stream from an MQTT broker: each message is a line, or a piece of raw samples."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ..errors import ResourceError, UsageError
from ..live.monitor import Line
from .stream_sink import text_of

MOST_HELD = 10_000
"""Messages held while the scores are behind; what comes then is lost, and counted."""
PATIENCE = 300.0
"""Seconds without a connection before it is given up."""
_LONGEST_PAUSE = 30


class Broker:
    """Subscribed to a topic (QoS 1). A lost connection is tried again after 1, 2, 4, ... and every 30 s.

    `lines`: messages are lines of text, and get a line end where they have none.
    User name and password are those of SEQFLOW_MQTT_USERNAME and SEQFLOW_MQTT_PASSWORD, where they are set.
    """

    def __init__(
        self, address: str, topic: str, publish: str | None, *, lines: bool = True, patience: float = PATIENCE
    ) -> None:
        try:
            import paho.mqtt.client as paho
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise UsageError(
                "stream: --mqtt needs the package paho-mqtt; install seqflow-audio[mqtt]"
            ) from None
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise UsageError(f"--mqtt: {address!r:.60} is no HOST:PORT, such as localhost:1883")
        self._address, self._topic, self._publish, self._lines = address, topic, publish, lines
        self._patience = patience
        self._messages: queue.Queue[bytes] = queue.Queue(MOST_HELD)
        self.lost = 0
        self._apart = time.monotonic()
        self._refused = ""
        client = paho.Client(CallbackAPIVersion.VERSION2)
        if name := os.environ.get("SEQFLOW_MQTT_USERNAME"):
            client.username_pw_set(name, os.environ.get("SEQFLOW_MQTT_PASSWORD"))
        client.reconnect_delay_set(1, _LONGEST_PAUSE)
        client.on_connect, client.on_message = self._connected, self._receive
        client.on_disconnect = self._disconnected
        self._client = client
        self._where = host, int(port)

    def __enter__(self) -> Broker:
        self._client.connect_async(*self._where, keepalive=30)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def read(self, timeout: float) -> bytes | None:
        """A message; None where none came. Raises ResourceError where the broker refuses, or is not there."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            pass
        if self._refused:
            raise ResourceError(
                f"{self._address}: the broker refuses: {self._refused}; check name and password"
            )
        if not self.connected and time.monotonic() - self._apart > self._patience:
            raise ResourceError(
                f"{self._address}: no connection to a broker for {self._patience:g} s; check the address"
            )
        return None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return bool(self._client.is_connected())

    def publish(self, lines: Sequence[Line]) -> None:
        """Send lines (QoS 1); those sent while there is no connection follow later."""
        assert self._publish is not None
        for line in lines:
            self._client.publish(self._publish, text_of(line), qos=1)

    def _connected(self, client: Any, user: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else ""
        if not reason.is_failure:
            client.subscribe(self._topic, qos=1)

    def _disconnected(self, *_: Any) -> None:
        self._apart = time.monotonic()

    def _receive(self, client: Any, user: Any, message: Any) -> None:
        payload = bytes(message.payload)
        if self._lines and not payload.endswith(b"\n"):
            payload += b"\n"
        if not payload:
            return  # an end to no one else
        try:
            self._messages.put_nowait(payload)
        except queue.Full:
            self.lost += 1
