"""`seqflow serve`: scores over HTTP."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import console
from .options import DeviceOption, JsonOption, RunArgument, examples

if TYPE_CHECKING:
    from seqflow.serve.gate import Visit
    from seqflow.serve.run import Listening

EXAMPLES = examples(
    "seqflow serve runs/pump --workers 2",
    "curl -F file=@pump-17.wav http://127.0.0.1:8000/score",
    "curl --data-binary @pump.csv -H 'Content-Type: text/csv' 'http://127.0.0.1:8000/score?samples=true'",
    "SEQFLOW_TOKEN=... seqflow serve runs/pump --host 0.0.0.0 --json",
)
_MIB = 1 << 20


def _limit(name: str, metavar: str, text: str) -> Any:
    return typer.Option(f"--limit-{name}", metavar=metavar, help=text, rich_help_panel="Limits")


def serve(
    run: RunArgument,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where to listen; 0: a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Processes that score uploads.")
    ] = 1,
    body: Annotated[float, _limit("body", "MIB", "Size of an upload.")] = 64.0,
    body_seconds: Annotated[
        float, _limit("body-seconds", "S", "Time for an upload to arrive, and for an answer to leave.")
    ] = 30.0,
    seconds: Annotated[float, _limit("seconds", "S", "Time to score an upload.")] = 30.0,
    wait: Annotated[float, _limit("wait", "S", "Time that a request waits for a process.")] = 10.0,
    pending: Annotated[int, _limit("pending", "N", "Requests under way at once.")] = 128,
    values: Annotated[int, _limit("values", "N", "Samples times channels of an upload.")] = 100_000_000,
    samples: Annotated[int, _limit("samples", "N", "Per-sample scores in an answer.")] = 1_000_000,
    memory: Annotated[float, _limit("memory", "MIB", "Memory of a process beyond its model.")] = 2048.0,
    connections: Annotated[int, _limit("connections", "N", "Connections open at once.")] = 1024,
    streams: Annotated[int, _limit("streams", "N", "Live streams at once; 0: no /live.")] = 16,
    frame: Annotated[int, _limit("frame", "BYTES", "Size of a message of a stream.")] = 1 << 18,
    rate: Annotated[
        float, _limit("rate", "N", "Samples times channels a second of a stream; more have to wait.")
    ] = 400_000.0,
    idle: Annotated[float, _limit("idle", "S", "Time without a message of a stream.")] = 60.0,
    drain: Annotated[
        float, _limit("drain", "S", "Time for what is under way, when the service is told to end.")
    ] = 30.0,
    device: DeviceOption = "cpu",
    json: JsonOption = False,
) -> None:
    """Serve scores over HTTP: uploads to /score, live streams to /live.

    Recordings are read in processes that may die of them. With SEQFLOW_TOKEN set, clients need that bearer
    token. SIGTERM ends the service once what is under way is done.
    """
    from seqflow.serve.limits import Limits
    from seqflow.serve.run import loopback
    from seqflow.serve.run import serve as run_service

    # Out of the environment, which the children have, too.
    token = os.environ.pop("SEQFLOW_TOKEN", None)
    if token is None and not loopback(host):
        console.note(f"note: {host}: other machines can reach the service, and SEQFLOW_TOKEN is not set")

    def ready(where: Listening) -> None:
        if json:
            console.say_json({"kind": "listening", **asdict(where)})
        else:
            console.announce(f"listening on {where.url}")

    def visited(visit: Visit) -> None:
        if json:
            console.say_json({"kind": "request", **_fields(visit)})
        else:
            console.note(_line(visit))

    ended = run_service(
        run,
        host=host,
        port=port,
        workers=workers,
        device=device,
        limits=Limits(
            body=int(body * _MIB),
            body_seconds=body_seconds,
            seconds=seconds,
            wait=wait,
            pending=pending,
            values=values,
            samples=samples,
            memory=int(memory * _MIB),
            connections=connections,
            streams=streams,
            frame=frame,
            rate=rate,
            idle=idle,
            drain=drain,
        ),
        token=token,
        on_ready=ready,
        on_visit=visited,
        on_note=lambda text: console.note(f"serve: {text}"),
    )
    raise typer.Exit(130 if ended == 2 else 0)


def _fields(visit: Visit) -> dict[str, Any]:
    known = asdict(visit)
    del known["begun"]
    return known | {"seconds": round(visit.seconds, 6)}


def _line(visit: Visit) -> str:
    """What was asked, the answer, and in how many bytes and seconds."""
    named = f" {visit.label!r}" if visit.label else ""
    detail = f": {visit.detail}" if visit.detail else ""
    cost = f"({visit.received} > {visit.sent} bytes, {visit.seconds:.3f} s)"
    return f"{visit.method} {visit.route}{named} {visit.status} {visit.code}{detail} {cost}"
