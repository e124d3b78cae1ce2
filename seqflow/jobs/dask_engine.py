"""Tasks on a dask.distributed cluster, with the outcomes that `pool.run_tasks` has.

Each worker process of the cluster keeps one child process with the model: what kills a decoder kills that
child, never the worker, and limits of time and memory are those of the pool. The workers need the same
version of seqflow and the same files under the same paths: model, inputs and results lie on a file system
that all share. dask sends pickles between its own processes: use it in networks that one trusts.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import multiprocessing.process
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import CheckpointError, ResourceError, UsageError
from ..files import sha256
from .pool import Finish, Limits, Outcome, Pool
from .pool_child import Start

if TYPE_CHECKING:
    from distributed import Client, Future

_BLOCK = 8
"""Tasks sent at once: enough that the way there and back is short beside the work."""
_IN_FLIGHT = 2
"""Blocks underway for each worker: one at work, one in wait."""
_CONNECT = 10.0
_ALONE = 60.0
"""Seconds to reach a scheduler, and to do without any worker."""
_LOOK = 1.0


def require() -> None:
    """Raise UsageError where dask.distributed is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("batch: the engine dask needs dask.distributed; pip install 'seqflow-audio[dask]'")


def run_on_cluster(
    start: Start,
    tasks: Iterable[str],
    *,
    finish: Finish | None = None,
    model: Path,
    workers: int,
    scheduler: str | None = None,
    limits: Limits | None = None,
    alone: float = _ALONE,
) -> Generator[Outcome, None, None]:
    """Outcomes of all tasks, as they come, in no order.

    Args:
        start: makes the work, once in the child of every worker.
        tasks: taken as the cluster has room for them: two blocks for each worker are underway.
        finish: done with every answer in the worker, see `Pool`.
        model: the file whose digest every worker compares with this host's.
        workers: processes of a cluster of this host alone, where no `scheduler` is given.
        scheduler: address of one that runs, such as tcp://127.0.0.1:8786.
        limits: of a task.
        alone: seconds to wait for a worker where there is none.

    A block whose worker dies is done again by another one. Where that has happened more often than the
    scheduler allows, its tasks are sent one by one, and one that takes down its workers still is `crashed`.
    Raises ResourceError where the cluster cannot be had or is lost, and UsageError or CheckpointError where a
    worker has another version of seqflow or another model file, or what `start` or a task raises.
    """
    source = iter(tasks)
    first = list(islice(source, 1))
    if not first:
        return
    order = json.dumps([__version__, str(model), sha256(model), *(limits or Limits())])

    def again() -> Iterator[str]:
        yield from first
        yield from source

    with _client(workers, scheduler) as client:
        try:
            with closing(
                _Flight(client, partial(_work, start, finish, order), alone).run(again())
            ) as outcomes:
                yield from outcomes
        finally:
            with suppress(Exception):
                client.run(_end_children, on_error="ignore")


class _Flight:
    """The blocks underway."""

    def __init__(self, client: Client, work: Callable[[list[str]], str], alone: float) -> None:
        self._client, self._work, self._alone = client, work, alone
        self._back: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._away: dict[str, tuple[Future, list[str]]] = {}
        self._single: deque[str] = deque()

    def run(self, source: Iterator[str]) -> Generator[Outcome, None, None]:
        try:
            yield from self._run(source)
        finally:
            with suppress(Exception):
                self._client.cancel([future for future, _ in self._away.values()], force=True)

    def _run(self, source: Iterator[str]) -> Generator[Outcome, None, None]:
        more = True
        while True:
            room = _IN_FLIGHT * max(1, self._workers())
            while len(self._away) < room and (more or self._single):
                names = [self._single.popleft()] if self._single else list(islice(source, _BLOCK))
                if names:
                    self._send(names)
                else:
                    more = False
            if not self._away:
                return
            future = self._wait()
            _, names = self._away.pop(str(future.key))
            yield from self._outcomes(future, names)

    def _send(self, names: list[str]) -> None:
        future = self._client.submit(self._work, names, pure=False)
        self._away[str(future.key)] = future, names
        future.add_done_callback(self._back.put)

    def _wait(self) -> Future:
        since = None
        while True:
            with suppress(queue.Empty):
                future = self._back.get(timeout=_LOOK)
                if str(future.key) in self._away:
                    return future
            if self._workers():
                since = None
                continue
            since = since or time.monotonic()
            if time.monotonic() - since > self._alone:
                raise ResourceError(
                    f"dask: no worker for {self._alone:g} seconds; start one and run it again"
                )

    def _workers(self) -> int:
        try:
            return len(self._client.nthreads())
        except (OSError, TimeoutError, RuntimeError, ValueError) as error:
            raise _gone(error) from None

    def _outcomes(self, future: Future, names: list[str]) -> Iterator[Outcome]:
        from distributed import KilledWorker

        if future.status == "cancelled":
            raise _gone("its work was cancelled")
        error = future.exception()
        if error is None:
            for name, status, answer in json.loads(future.result()):
                yield Outcome(name, status, answer)
        elif isinstance(error, KilledWorker):
            if len(names) == 1:
                yield Outcome(names[0], "crashed", "its workers died of it, or beside it, again and again")
            else:
                self._single.extend(names)
        elif isinstance(error, UsageError | CheckpointError | ResourceError):
            raise type(error)(str(error))
        elif isinstance(error, ImportError | AttributeError) or "deserialization" in str(error):
            raise UsageError(
                f"dask: scheduler and workers need seqflow {__version__} too, and one of them cannot load "
                f"what was sent ({_short(error)}); install it there"
            ) from None
        else:
            raise RuntimeError(f"in a worker of the cluster: {type(error).__name__}: {error}")


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Client]:
    """A client of the scheduler, or of a cluster on this host that goes with it."""
    import logging

    from dask import config
    from distributed import Client, LocalCluster

    quiet = {"distributed.logging.distributed": "critical"}
    with config.set(quiet):
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        if scheduler is None:
            cluster = LocalCluster(
                host="127.0.0.1",
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            with cluster, Client(cluster, timeout=_CONNECT, set_as_default=False) as client:
                yield client
            return
        try:
            client = Client(scheduler, timeout=_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ResourceError(
                f"--scheduler {scheduler}: no dask scheduler answers ({_short(error)}); start it, or correct "
                "the address"
            ) from None
        with client:
            yield client


def _gone(reason: object) -> ResourceError:
    return ResourceError(
        f"dask: the scheduler is gone ({_short(reason)}); what is done is kept: start it, and run this again"
    )


def _short(reason: object) -> str:
    return " ".join(str(reason).split())[:120] or type(reason).__name__


# From here on: in a worker process of the cluster.

_children: dict[str, _Child] = {}
_turn = threading.Lock()


def _work(start: Start, finish: Finish | None, order: str, names: list[str]) -> str:
    """Outcomes of a block as JSON. One block at a time, however many threads the worker has."""
    with _turn:
        key = f"{order} {start!r} {finish!r}"
        if key not in _children:
            _end_children()
            _children[key] = _Child(start, finish, order)
        try:
            return json.dumps(_children[key].do(names))
        except BaseException:
            _end_children()
            raise


def _end_children() -> None:
    for child in _children.values():
        child.end()
    _children.clear()


atexit.register(_end_children)


class _Child:
    """The one child of a worker, which has the model."""

    def __init__(self, start: Start, finish: Finish | None, order: str) -> None:
        version, model, digest, timeout, memory = json.loads(order)
        if version != __version__:
            raise UsageError(
                f"dask: a worker has seqflow {__version__}, this command {version}; install the same one"
            )
        try:
            found = sha256(Path(model))
        except OSError as error:
            raise UsageError(
                f"dask: a worker cannot read {model} ({error.strerror}); model, inputs and --out must lie on "
                "a file system that all workers share"
            ) from None
        if found != digest:
            raise CheckpointError(f"dask: a worker has another file as {model}; give all the same one")
        self._pool = Pool(start, workers=1, timeout=timeout, memory=memory, ahead=1, finish=finish)

    def do(self, names: list[str]) -> list[Outcome]:
        """What becomes of these tasks."""
        with _allowed_children():
            return list(self._pool.run(names))

    def end(self) -> None:
        """End the process."""
        self._pool.close()


@contextmanager
def _allowed_children() -> Iterator[None]:
    """Workers below dask's nanny are daemons, which may have no children lest these outlive them.

    Those of the pool do not: they end when their pipe is closed.
    """
    config: dict[str, Any] = multiprocessing.process.current_process()._config  # type: ignore[attr-defined]
    before = config.get("daemon")
    config["daemon"] = False
    try:
        yield
    finally:
        config["daemon"] = before
