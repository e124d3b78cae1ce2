"""The routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import one_line
from .formats import SUFFIXES
from .limits import Limits
from .live import Live
from .metrics import Metrics
from .refusal import Refusal
from .team import Team
from .upload import Uploads

_MOST_CONDITIONS = 64
_LONGEST = 200
_CODES = {404: "not_found", 405: "method_not_allowed"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": _BINARY, "audio/*": _BINARY, "multipart/form-data": _FORM},
    }
}
_REFUSED = {
    "description": "No score, and why.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
            }
        }
    },
}
_RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys(
    (400, 401, 408, 413, 415, 422, 500, 503, 504), _REFUSED
)


def make_app(
    team: Team,
    live: Live | None,
    uploads: Uploads,
    metrics: Metrics,
    about: Mapping[str, Any],
    limits: Limits,
    ready: Callable[[], bool],
) -> FastAPI:
    """The application, without what `Gate` adds.

    Args:
        team: scores uploads.
        live: scores streams; None where there are none.
        uploads: where bodies go.
        metrics: counts.
        about: what `/model` says.
        limits: those that `/model` tells of.
        ready: whether new requests are taken.
    """
    # The pages of /docs fetch their scripts from elsewhere: there are none.
    app = FastAPI(title="seqflow", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(RequestValidationError, _bad_query)
    app.add_exception_handler(Exception, _fault)

    @app.post("/score", responses=_RESPONSES, openapi_extra=_BODY)
    async def score(
        request: Request,
        samples: bool = False,
        strict: bool = False,
        alarm_rate: Annotated[float | None, Query(gt=0.0, lt=1.0, allow_inf_nan=False)] = None,
        condition: Annotated[list[str], Query(max_length=_MOST_CONDITIONS)] = [],  # noqa: B006
        format: Annotated[str | None, Query(description=f"One of {', '.join(SUFFIXES)}.")] = None,
        name: Annotated[str | None, Query(max_length=_LONGEST)] = None,
    ) -> Response:
        """Score a recording: the fields of `seqflow score --json`, for each recording in the body.

        `condition` is NAME=VALUE, and may be given again. `samples` adds the score of every sample.
        """
        visit = request.scope["state"]["visit"]
        conditions = _conditions(condition)
        with uploads.place() as place:
            upload = await uploads.receive(request, place, name, format)
            visit.label, visit.received = upload.label, upload.size
            answer = await team.ask(
                {
                    "path": str(upload.path),
                    "label": upload.label,
                    "samples": samples,
                    "strict": strict,
                    "alarm_rate": alarm_rate,
                    "conditions": conditions,
                }
            )
        visit.code = answer["code"]
        if answer["status"] == 200:
            metrics.scored.inc(answer["scored"])
            metrics.signal.inc(answer["seconds"])
            metrics.values.inc(answer["values"])
        return _json(answer["body"], answer["status"])

    @app.get("/model")
    async def model() -> Response:
        """What the model takes, what it knows, and which alarm rates it can promise."""
        return _json(json.dumps({**about, "limits": asdict(limits)}))

    @app.get("/health/live")
    async def alive() -> Response:
        """Whether the service lives: 200 whenever it can answer."""
        return _json(json.dumps({"live": True}))

    @app.get("/health")
    async def health() -> Response:
        """Whether it takes requests: 200, or 503 while it ends or has no process."""
        known = {"live": True, "ready": ready(), "processes": team.alive}
        return _json(json.dumps(known), 200 if known["ready"] else 503)

    @app.get("/metrics")
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    if live is not None:

        @app.websocket("/live")
        async def stream(socket: WebSocket) -> None:
            await live.serve(socket, int(about["channels"]))

    return app


def _conditions(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or len(text) > _LONGEST:
            raise Refusal(422, "bad_query", f"condition: {text[:40]!r} is not NAME=VALUE")
        found[key] = value
    return found


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if request.scope["type"] == "websocket":
        raise error  # the gate answers
    visit = request.scope["state"]["visit"]
    visit.code, visit.detail = error.code, error.detail
    return Response(error.body, error.status, headers=error.headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "bad_request")
    refusal = Refusal(error.status_code, code, f"{error.detail}; see /openapi.json")
    if request.scope["type"] == "websocket":
        raise refusal
    response = await _refused(request, refusal)
    response.headers.update(error.headers or {})
    return response


async def _bad_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return await _refused(request, Refusal(422, "bad_query", f"{one_line(place)}: {first['msg']}"))


async def _fault(request: Request, error: Exception) -> Response:
    return Response(
        Refusal(500, "internal_error", "a fault of this program").body, 500, media_type="application/json"
    )
