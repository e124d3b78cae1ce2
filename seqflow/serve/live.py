"""/live: a stream of samples over a WebSocket, and its scores back."""

from __future__ import annotations

import asyncio
import base64
import itertools
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import one_line
from .gate import Visit
from .limits import Limits
from .metrics import Metrics
from .refusal import Refusal, busy
from .team import Team

BINARY = ("u8", "s16le", "s24le", "s32le", "f32le", "f64le")
TEXT = ("jsonl", "csv")
_BURST = 10.0
_LONGEST_REASON = 100


class _Closed(Exception):  # noqa: N818
    """The stream ends, with a code of WebSocket (RFC 6455) and one of ours."""

    def __init__(self, number: int, code: str, detail: str = "") -> None:
        self.number, self.code, self.detail = number, code, one_line(detail)


class _Asked(NamedTuple):
    """What the query of a stream asks for."""

    format: str
    alarm_rate: float | None
    onset: int | None
    terms: bool


class Live:
    """All live streams of a service: each message is fed to the one child that scores them, in turn.

    An empty message ends a stream: its last lines follow, and the connection is closed with 1000. Other
    codes: 1001 the service ends, 1003 text where bytes are wanted or the reverse, 1007 lines that are no
    rows, 1008 nothing came, or nothing was read, for too long, 1009 too long a message, 1011 the process
    died.
    """

    def __init__(self, team: Team, metrics: Metrics, limits: Limits) -> None:
        self._team, self._metrics, self._limits = team, metrics, limits
        self._numbers = itertools.count(1)
        self.open = 0
        self.ending = asyncio.Event()
        self.none = asyncio.Event()
        self.none.set()

    async def serve(self, socket: WebSocket, channels: int) -> None:
        """One stream, from its request to its end. Raises Refusal where it is not even accepted."""
        asked = _asked(socket)
        if self.open >= self._limits.streams:
            raise busy(f"{self.open} streams are open; try again later")
        self.open += 1
        self.none.clear()
        stream = _Stream(self, socket, channels, next(self._numbers), asked)
        try:
            await stream.run()
        finally:
            self.open -= 1
            if not self.open:
                self.none.set()

    async def ask(self, do: str, number: int, **what: Any) -> dict[str, Any]:
        """The answer of the child to a task."""
        found: dict[str, Any] = await self._team.ask({"do": do, "stream": number, **what})
        return found

    def count(self) -> None:
        """A message has come."""
        self._metrics.frames.inc()

    @property
    def limits(self) -> Limits:
        """Of the service."""
        return self._limits


class _Stream:
    def __init__(self, live: Live, socket: WebSocket, channels: int, number: int, asked: _Asked) -> None:
        self._live, self._socket, self._number, self._asked = live, socket, number, asked
        self._channels = channels
        self._visit: Visit = socket.scope["state"]["visit"]
        self._credit = _BURST * live.limits.rate
        self._position = 0
        self._at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        begun = await self._live.ask("open", self._number, **self._asked._asdict())
        if "code" in begun:
            raise Refusal(422, begun["code"], begun["detail"])
        try:
            await self._socket.accept()
            self._visit.status = 101
            try:
                await self._send(begun["lines"])
                while True:
                    await self._turn(await self._message())
            except (_Closed, Refusal) as end:
                await self._close(end)
            except WebSocketDisconnect:
                self._visit.code = "disconnected"
        finally:
            with suppress(Refusal):  # it is gone with its process
                await self._live.ask("drop", self._number)

    async def _message(self) -> bytes:
        """The next message. Raises _Closed where there is none, or one of the wrong kind."""
        ending = asyncio.ensure_future(self._live.ending.wait())
        coming = asyncio.ensure_future(self._socket.receive())
        both = {ending, coming}
        try:
            await asyncio.wait(both, timeout=self._live.limits.idle, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                await self._finish()
                raise _Closed(1001, "draining", "the service ends")
            if not coming.done():
                raise _Closed(1008, "idle", f"nothing came for {self._live.limits.idle:g} seconds")
            message = coming.result()
        finally:
            ending.cancel()
            coming.cancel()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        text = message.get("text")
        data: bytes = text.encode() if text is not None else message.get("bytes") or b""
        self._visit.received += len(data)
        self._live.count()
        if data and (text is not None) is (self._asked.format in BINARY):
            wanted = "binary" if self._asked.format in BINARY else "text"
            raise _Closed(1003, "wrong_message", f"{self._asked.format} comes in {wanted} messages")
        return data + b"\n" if data and text is not None else data

    async def _turn(self, data: bytes) -> None:
        if not data:
            await self._finish()
            raise _Closed(1000, "ok")
        answer = await self._live.ask("feed", self._number, data=base64.b64encode(data).decode())
        await self._send(answer.get("lines", ()))
        if "code" in answer:
            number = 1011 if answer["code"] == "lost" else 1007
            raise _Closed(number, answer["code"], answer["detail"])
        await self._pace(answer["position"])

    async def _pace(self, position: int) -> None:
        """Read no more until the stream is within its rate: who sends must wait then."""
        now = asyncio.get_running_loop().time()
        rate = self._live.limits.rate
        self._credit = min(_BURST * rate, self._credit + rate * (now - self._at))
        self._credit -= (position - self._position) * self._channels
        self._at, self._position = now, position
        if self._credit < 0.0:
            await asyncio.sleep(-self._credit / rate)

    async def _finish(self) -> None:
        answer = await self._live.ask("finish", self._number)
        await self._send(answer.get("lines", ()))

    async def _send(self, lines: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(self._live.limits.body_seconds):
                for line in lines:
                    self._visit.sent += len(line)
                    await self._socket.send_text(line)
        except TimeoutError:
            raise _Closed(1008, "slow_reader", "its lines were not read in time") from None

    async def _close(self, end: _Closed | Refusal) -> None:
        self._visit.code, self._visit.detail = end.code, end.detail
        number = end.number if isinstance(end, _Closed) else 1011
        reason = f"{end.code}: {end.detail}" if end.detail else ""
        # Where that does not work, the guard of the connection ends it.
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(1.0):
                await self._socket.close(number, reason[:_LONGEST_REASON])


def _asked(socket: WebSocket) -> _Asked:
    given = dict(socket.query_params)
    unknown = sorted(given.keys() - {"format", "alarm_rate", "onset", "terms"})
    if unknown:
        raise _bad(f"{unknown[0][:40]!r} is not known; there are format, alarm_rate, onset and terms")
    format = given.get("format", "s16le")
    if format not in (*BINARY, *TEXT):
        raise _bad(f"format is none of {', '.join((*BINARY, *TEXT))}")
    try:
        rate = float(given["alarm_rate"]) if "alarm_rate" in given else None
        onset = int(given["onset"]) if "onset" in given else None
    except ValueError:
        raise _bad("alarm_rate and onset must be numbers") from None
    if rate is not None and not (math.isfinite(rate) and 0.0 < rate < 1.0):
        raise _bad("alarm_rate must lie between 0 and 1")
    if onset is not None and not 1 <= onset <= 1_000_000:
        raise _bad("onset must be 1 or more")
    if given.get("terms", "false") not in ("true", "false"):
        raise _bad("terms must be true or false")
    return _Asked(format, rate, onset, given.get("terms") == "true")


def _bad(detail: str) -> Refusal:
    return Refusal(422, "bad_query", detail)
