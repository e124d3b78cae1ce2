"""Connections that a client keeps open without using them are closed."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from .refusal import Refusal

_LOOK = 0.5
_LINGER = 3.0


def guarded(seconds: float) -> type[H11Protocol]:
    """The protocol of uvicorn with limits in time that it lacks.

    A head must arrive, and an answer must leave, within `seconds`; what comes of a body after its answer is
    dropped for three seconds, so that the client can read the answer.
    """

    class Guarded(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._state: Any = None
            self._since = self.loop.time()
            self._look()

        def _look(self) -> None:
            if self.transport.get_protocol() is not self:
                return  # a stream by now, which looks after itself
            state, most = self._stage()
            if state != self._state:
                self._state, self._since = state, self.loop.time()
            elif most is not None and self.loop.time() - self._since > most:
                self.transport.abort()
                return
            if not self.transport.is_closing() or self.transport.get_write_buffer_size():
                self.loop.call_later(_LOOK, self._look)

        def _stage(self) -> tuple[Any, float | None]:
            """What the connection waits for, and how long it may."""
            if self.transport.get_write_buffer_size():
                return "leaving", seconds
            if self.cycle is not None and not self.cycle.response_complete:
                return "working", None
            if self.conn.their_state is h11.SEND_BODY:
                return ("body", id(self.cycle)), _LINGER
            return ("head", id(self.cycle)), seconds

        def send_400_response(self, msg: str) -> None:
            """The answer to what is no HTTP, or has a head that is too long."""
            refusal = Refusal(400, "bad_request", "is no HTTP/1.1 request, or has a head of more than 64 KiB")
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                output = self.conn.send(h11.Response(status_code=400, headers=headers, reason=b"Bad Request"))
                self.transport.write(output or b"")
                self.transport.write(self.conn.send(h11.Data(data=refusal.body)) or b"")
                self.transport.write(self.conn.send(h11.EndOfMessage()) or b"")
            self.transport.close()

    return Guarded


def guarded_stream(seconds: float) -> type[WebSocketsSansIOProtocol]:
    """The protocol of uvicorn for WebSockets; what is sent must leave within `seconds`, and three more.

    Who sends is to notice first, and to say why it ends.
    """

    class GuardedStream(WebSocketsSansIOProtocol):
        """One connection."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._since: float | None = None
            self._look()

        def _look(self) -> None:
            if self.disconnected:
                return
            now = self.loop.time()
            if not self.transport.get_write_buffer_size():
                self._since = None
            elif self._since is None:
                self._since = now
            elif now - self._since > seconds + _LINGER:
                self.transport.abort()
                return
            self.loop.call_later(_LOOK, self._look)

    return GuardedStream
