"""Source and sink of a stream: standard input and output, or a broker beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import UsageError
from ..live.monitor import Line
from .stream_sink import Sink
from .stream_source import Pipe, Source


@contextmanager
def places(
    say: Sink, mqtt: str | None, topic: str | None, publish: str | None, *, lines: bool
) -> Iterator[tuple[Source, Sink]]:
    """Source and sink while the block lasts: `say` gets all lines, and with `publish` the broker too.

    `lines`: what is read is text.

    Raises UsageError for topics without a broker, a broker without a topic, or without the extra `mqtt`.
    """
    if mqtt is None:
        if topic is not None or publish is not None:
            raise UsageError("stream: --topic and --publish need a broker; give it with --mqtt HOST:PORT")
        yield Pipe(), say
        return
    if topic is None:
        raise UsageError("stream: --mqtt needs the topic to read; give it with --topic")
    from .stream_mqtt import Broker

    with Broker(mqtt, topic, publish, lines=lines) as broker:

        def both(found: Sequence[Line]) -> None:
            say(found)
            broker.publish(found)

        yield broker, both if publish is not None else say
