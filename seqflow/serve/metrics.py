"""Figures of a running service, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counts of one service; several in one process do not mix."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter(
            "seqflow_requests",
            "Requests by route, status and code.",
            ["route", "status", "code"],
            registry=own,
        )
        self.latency = Histogram(
            "seqflow_request_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.scored = Counter("seqflow_scored_recordings", "Recordings with a score.", registry=own)
        self.signal = Counter("seqflow_scored_signal_seconds", "Seconds of signal scored.", registry=own)
        self.values = Counter("seqflow_scored_values", "Samples times channels scored.", registry=own)
        self.lost = Counter("seqflow_lost_processes", "Child processes that were replaced.", registry=own)
        self.frames = Counter("seqflow_stream_messages", "Messages of live streams.", registry=own)

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A figure that is read when it is asked for."""
        Gauge(f"seqflow_{name}", text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All figures in the text format."""
        return generate_latest(self._registry)
