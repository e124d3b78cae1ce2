"""A service from its start to its end."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ResourceError, UsageError
from .limits import Limits

if TYPE_CHECKING:
    from .gate import Visit

_SEND_BUFFER = 1 << 18


@dataclass(frozen=True)
class Listening:
    """A service is ready: where, and the process."""

    url: str
    host: str
    port: int
    pid: int


def serve(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    device: str = "cpu",
    limits: Limits | None = None,
    token: str | None = None,
    on_ready: Callable[[Listening], None] | None = None,
    on_visit: Callable[[Visit], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> int:
    """Serve the model of a run until SIGTERM or SIGINT; returns the number of the signal.

    Args:
        run: folder or model file.
        host, port: where to listen; 0 is a free port.
        workers: child processes that read and score uploads, each with the model and one thread.
        device: of every child.
        limits: what clients may ask for.
        token: bearer token that clients must have; None for none.
        on_ready: told where the service listens, once it takes requests.
        on_visit: told of every request.
        on_note: told of children that died, in a line each.

    What is under way at the first signal is finished, within `limits.drain`; the second ends all at once.
    Raises UsageError where the extra `serve` is missing, for an address that cannot be had, and an empty
    token; CheckpointError for the model.
    """
    if workers < 1:
        raise UsageError(f"serve: workers must be at least 1, got {workers}")
    if token is not None and not token.strip():
        raise UsageError("serve: the token is empty; give SEQFLOW_TOKEN a value, or do not set it")
    try:
        from .service import Service
    except ModuleNotFoundError as error:
        raise UsageError(f"serve: {error.name} is not installed: install seqflow-audio[serve]") from error
    # What uvicorn says is for its own users; requests are told of by `on_visit`.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    with _listener(host, port) as listener, _folder() as folder:
        service = Service(
            run,
            folder,
            workers=workers,
            device=device,
            limits=limits or Limits(),
            token=token,
            on_visit=on_visit or _ignore,
            on_note=on_note or _ignore,
        )
        where = _where(listener)
        return asyncio.run(service.run(listener, partial(on_ready or _ignore, where)))


def loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signals(asked: Callable[[int], None]) -> Callable[[], None]:
    """Have SIGINT and SIGTERM reported to the running loop; returns what ends that."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        loop.add_signal_handler(number, asked, int(number))

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])

    return restore


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"serve: {host}: no address of this machine ({error}); check --host") from None
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Of every connection: what a client does not read costs no more.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            listener.bind(address)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"serve: {host}:{port}: cannot listen there: {reason}; choose another --port or --host"
            ) from None
        listener.setblocking(False)
        yield listener


@contextmanager
def _folder() -> Iterator[Path]:
    """A private folder for bodies."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="seqflow-serve-", ignore_cleanup_errors=True)
    except OSError as error:
        raise ResourceError(f"serve: no folder for uploads: {error.strerror}; set TMPDIR") from error
    with folder as name:
        yield Path(name)


def _where(listener: socket.socket) -> Listening:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return Listening(f"http://{shown}:{port}", host, port, os.getpid())


def _ignore(*_: Any) -> None:
    """Nobody wants to know."""
