"""How much a client may ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import UsageError


@dataclass(frozen=True)
class Limits:
    """Limits of a service; all are positive, `streams` may be 0.

    Attributes:
        body: bytes of a request's body.
        body_seconds: for the body to arrive, and for an answer to leave.
        seconds: a child works on one recording.
        wait: seconds a request waits for a child.
        pending: requests under way at once: those that arrive, wait, and are worked on.
        values: samples times channels of an upload.
        samples: per-sample scores in an answer, samples times tracks.
        memory: bytes that a child may take beyond what it has with the model.
        connections: open at once.
        streams: live streams at once.
        frame: bytes of a message of a stream.
        rate: samples times channels per second of a stream, beyond a burst of ten seconds.
        idle: seconds without a message of a stream.
        drain: seconds for what is under way, when the service is told to end.
    """

    body: int = 64 << 20
    body_seconds: float = 30.0
    seconds: float = 30.0
    wait: float = 10.0
    pending: int = 128
    values: int = 100_000_000
    samples: int = 1_000_000
    memory: int = 2 << 30
    connections: int = 1024
    streams: int = 16
    frame: int = 1 << 18
    rate: float = 400_000.0
    idle: float = 60.0
    drain: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value == 0 and field.name != "streams") or value != value:
                raise UsageError(f"serve: limit {field.name} must be positive, got {value:g}")
