"""Every request passes here: refused early, answered in one form, counted and told of."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics
from .refusal import Refusal, busy

ROUTES = ("/score", "/live", "/health", "/health/live", "/metrics", "/model", "/openapi.json")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Asked when all places are taken, too: by who watches the service.
_ALWAYS = ("/health", "/health/live", "/metrics")


@dataclass
class Visit:
    """A request that has been dealt with, in what is safe to print.

    Attributes:
        method, route: "other" for what there is none of.
        status, code: of the answer; `ok`, or why there is no score. 499: the client went away.
        detail: a line on a fault.
        label: the client's name of the file, made harmless.
        received, sent: bytes of bodies.
        seconds: from the head of the request to the end of the answer.
    """

    method: str
    route: str
    status: int = 0
    code: str = "ok"
    detail: str = ""
    label: str = ""
    received: int = 0
    sent: int = 0
    seconds: float = 0.0
    begun: float = field(default_factory=time.monotonic, repr=False)


OnVisit = Callable[[Visit], None]


class Gate:
    """The application behind a token, a number of places, and one way to fail.

    Args:
        app: the routes.
        metrics: counts.
        token: bearer token that all but /health want; None for none.
        pending: requests under way at once.
        on_visit: told of every request.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, *, token: str | None, pending: int, on_visit: OnVisit
    ) -> None:
        self._app, self._metrics, self._most, self._on_visit = app, metrics, pending, on_visit
        self._token = None if token is None else f"Bearer {token}".encode()
        self.pending = 0
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
            return
        visit = _visit(scope)
        scope["state"]["visit"] = visit
        answer = _Answer(visit, send)
        begun = False
        try:
            self._check(scope, visit)
            begun = visit.route not in _ALWAYS
            self._count(begun)
            await self._app(scope, receive, answer)
        except Refusal as refusal:
            visit.code, visit.detail = refusal.code, refusal.detail
            await answer.refuse(refusal)
        except asyncio.CancelledError:
            visit.code = "stopped"
            await answer.refuse(Refusal(503, "stopped", "the service ended", retry=5, close=True))
            raise
        except Exception as error:
            visit.code, visit.detail = "internal_error", f"{type(error).__name__}: {error}"
            await answer.refuse(Refusal(500, "internal_error", "a fault of this program", close=True))
        finally:
            self._count(-begun)
            self._tell(visit)

    def _check(self, scope: Scope, visit: Visit) -> None:
        """Raise Refusal where nothing of the request need be looked at."""
        if visit.route.startswith("/health"):
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if origin is not None and origin.partition(b"://")[2] != headers.get(b"host"):
            # A page from elsewhere, in the browser of someone who may reach the service.
            raise Refusal(403, "cross_origin", "pages of other sites cannot use the service")
        if self._token is not None:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):
                raise Refusal(401, "unauthorized", "wants the token: Authorization: Bearer TOKEN")
        if visit.route in _ALWAYS:
            return
        if self.draining:
            raise Refusal(503, "draining", "the service ends; try another", retry=5)
        if self.pending >= self._most:
            raise busy(f"{self.pending} requests are under way; try again later")

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = _visit(scope)
        scope["state"] = {**scope.get("state", {}), "visit": visit}
        try:
            self._check(scope, visit)
            await self._app(scope, receive, send)
        except Refusal as refusal:
            # Before it is accepted, a stream is refused as a request is.
            visit.status, visit.code, visit.detail = refusal.status, refusal.code, refusal.detail
            headers = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
            start = {"type": "websocket.http.response.start", "status": refusal.status, "headers": headers}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": refusal.body})
        finally:
            self._tell(visit)

    def _count(self, change: int) -> None:
        self.pending += change
        if self.pending:
            self.idle.clear()
        else:
            self.idle.set()

    def _tell(self, visit: Visit) -> None:
        visit.seconds = time.monotonic() - visit.begun
        self._metrics.requests.labels(visit.route, str(visit.status), visit.code).inc()
        if visit.route != "/live":
            self._metrics.latency.labels(visit.route).observe(visit.seconds)
        self._on_visit(visit)


class _Answer:
    """Sends, and notes what."""

    def __init__(self, visit: Visit, send: Send) -> None:
        self._visit, self._send = visit, send
        self._begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            self._visit.status = message["status"]
            extra = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        elif message["type"] == "http.response.body":
            self._visit.sent += len(message.get("body", b""))
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        if self._begun:
            return
        self._visit.status = refusal.status
        if refusal.status == 499:
            return
        body = refusal.body
        headers = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
        headers.append((b"content-length", str(len(body)).encode()))
        await self({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _visit(scope: Scope) -> Visit:
    method: Any = scope.get("method", "GET")
    return Visit(
        method if method in _METHODS else "other", scope["path"] if scope["path"] in ROUTES else "other"
    )
