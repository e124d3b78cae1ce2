"""Children, connections and routes of one service, joined."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from ..errors import ResourceError
from .app import make_app
from .begin import scoring, streaming
from .child import CrashedError
from .gate import Gate, Visit
from .guard import guarded, guarded_stream
from .limits import Limits
from .live import Live
from .metrics import Metrics
from .run import signals
from .team import Team
from .upload import Uploads

_ANSWER = 64 << 20
_PER_VALUE = 32
_HEAD = 1 << 16
_KEEP_ALIVE = 5


class _Server(uvicorn.Server):
    """Uvicorn without a say in signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Service:
    """One service; see `run.serve` for the arguments."""

    def __init__(
        self,
        run: Path,
        folder: Path,
        *,
        workers: int,
        device: str,
        limits: Limits,
        token: str | None,
        on_visit: Callable[[Visit], None],
        on_note: Callable[[str], None],
    ) -> None:
        self._run, self._folder, self._device, self._limits = run, folder, device, limits
        self._workers, self._token = workers, token
        self._on_visit, self._on_note = on_visit, on_note
        self._signals: list[int] = []
        self._asked, self._again = asyncio.Event(), asyncio.Event()
        self._fault: BaseException | None = None
        self._metrics = Metrics()

    async def run(self, listener: Any, on_ready: Callable[[], None]) -> int:
        """From the start of the children to the last answer; the number of the signal that ended it."""
        restore = signals(self._ask)
        teams = [self._team(scoring, self._workers)]
        if self._limits.streams:
            teams.append(self._team(streaming, 1))
        ready = asyncio.gather(*(team.start() for team in teams))
        try:
            if await self._unless_asked(ready):
                about = ready.result()[0]
                await self._serve(listener, teams, about, on_ready)
        except CrashedError as error:
            raise ResourceError(f"serve: a process cannot start: it {error}; lower --workers") from None
        finally:
            await asyncio.gather(*(team.close() for team in teams))
            await asyncio.gather(ready, return_exceptions=True)
            restore()
        if self._fault is not None:
            raise self._fault
        return self._signals[0]

    async def _serve(
        self, listener: Any, teams: list[Team], about: dict[str, Any], on_ready: Callable[[], None]
    ) -> None:
        limits, metrics, team = self._limits, self._metrics, teams[0]
        live = Live(teams[1], metrics, limits) if limits.streams else None
        gate: Gate

        def takes_requests() -> bool:
            return not gate.draining and team.alive > 0

        app = make_app(team, live, Uploads(self._folder, limits), metrics, about, limits, takes_requests)
        gate = Gate(app, metrics, token=self._token, pending=limits.pending, on_visit=self._visited)
        metrics.watch("pending_requests", "Requests under way.", lambda: gate.pending)
        metrics.watch("waiting_requests", "Requests that wait for a process.", lambda: team.waiting)
        metrics.watch("processes", "Child processes that are ready or at work.", lambda: team.alive)
        metrics.watch("streams", "Live streams that are open.", lambda: live.open if live else 0)
        server = _Server(self._config(gate))
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        on_ready()
        await self._unless_asked(serving)
        gate.draining = True
        if live is not None:
            live.ending.set()
        await self._drained(gate, live)
        server.should_exit = True
        server.force_exit = len(self._signals) > 1
        await serving

    def _config(self, gate: Gate) -> uvicorn.Config:
        limits = self._limits
        return uvicorn.Config(
            gate,
            http=guarded(limits.body_seconds),
            ws=guarded_stream(limits.body_seconds),
            ws_max_size=limits.frame,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=_HEAD,
        )

    def _team(self, begin: Callable[..., Any], size: int) -> Team:
        limits = self._limits
        return Team(
            partial(begin, str(self._run), self._device, limits),
            size,
            seconds=limits.seconds,
            wait=limits.wait,
            most=_ANSWER + _PER_VALUE * limits.samples,
            on_lost=self._lost,
        )

    def _lost(self, why: str) -> None:
        self._metrics.lost.inc()
        self._call(self._on_note, why)

    def _visited(self, visit: Visit) -> None:
        self._call(self._on_visit, visit)

    def _call(self, tell: Callable[[Any], None], what: Any) -> None:
        """Tell of something. Where nobody can be told any longer, the service ends."""
        try:
            tell(what)
        except BaseException as error:
            if self._fault is None:
                self._fault = error
                self._asked.set()

    def _ask(self, number: int) -> None:
        self._signals.append(number)
        self._asked.set()
        if len(self._signals) > 1:
            self._again.set()

    async def _unless_asked(self, work: asyncio.Future[Any]) -> bool:
        """Wait for work, or for an end to be asked for. Whether the work is done; raises its error."""
        asked = asyncio.ensure_future(self._asked.wait())
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if work.done():
            work.result()
            return True
        return False

    async def _drained(self, gate: Gate, live: Live | None) -> None:
        """What is under way has come to its end, or its time is up, or a second signal has come."""

        async def quiet() -> None:
            await gate.idle.wait()
            if live is not None:
                await live.none.wait()

        both = {asyncio.ensure_future(quiet()), asyncio.ensure_future(self._wait_again())}
        await asyncio.wait(both, timeout=self._limits.drain, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()

    async def _wait_again(self) -> None:
        await self._again.wait()
